#!/bin/sh
exec "$HARNESS_INSTALL_DIR/bin/compiled-service"
