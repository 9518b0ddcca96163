#!/bin/sh
echo "hello from $HARNESS_VERSION"
echo kept >> "$HARNESS_LOG_DIR/own.log"; echo data >> "$HARNESS_DATA_DIR/data"
while :; do sleep 0.2; done
