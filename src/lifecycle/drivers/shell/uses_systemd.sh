# Whether PID 1 is systemd and we may give it units.
h_uses_systemd() { [ -d /run/systemd/system ] && [ "$(id -u)" = 0 ] && command -v systemctl >/dev/null; }
