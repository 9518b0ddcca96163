if [ -n "$h_earlier" ]; then
  set -- /bin/sh -c '[ -f "$1" ] || exit 0; exec tail -n 0 -F "$1" 2>/dev/null' sh "$h_earlier"
  #include as_service
  exec "$@" 7</dev/null 8</dev/null
fi
exec tail -n 0 -F "$h_log" 2>/dev/null
