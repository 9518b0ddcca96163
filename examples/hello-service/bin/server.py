"""The example service, for hosts that have only Python 3. bin/server.mjs is the same for Node and Deno."""

import http.server
import json
import os
import re
import signal
import sys
import threading
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read().strip()


def field(name):
    found = re.search(rf"^{name}: *(\S+)", read("manifest.yaml"), re.MULTILINE)
    return found.group(1) if found else ""


PORT = int(os.environ.get("HARNESS_PORT_HTTP") or 8080)
NAME, VERSION = field("name"), field("version")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/healthz":
            if os.environ.get("HELLO_UNHEALTHY"):
                return self.reply(503, {"status": "unhealthy", "reason": "HELLO_UNHEALTHY is set"})
            return self.reply(200, {"status": "ok"})
        if path != "/":
            return self.reply(404, {"error": f"nothing at {path}"})
        greeting = os.environ.get("GREETING") or read("config/greeting.txt")
        self.reply(200, {"name": NAME, "version": VERSION, "greeting": greeting, "pid": os.getpid()})

    do_HEAD = do_GET

    def reply(self, status, body):
        text = (json.dumps(body) + "\n").encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def log_message(self, *_):
        """Requests are not logged: the health check alone would fill the log."""


def check():
    url = f"http://127.0.0.1:{PORT}/healthz"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=4) as response:
            print(response.status, response.read().decode(), end="")
            return 0
    except urllib.error.HTTPError as error:
        print(error.code, error.read().decode(), end="")
    except OSError as error:
        print(f"hello-service: {url}: {error}", file=sys.stderr)
    return 2


def serve():
    try:
        server = http.server.ThreadingHTTPServer(("", PORT), Handler)
    except OSError as error:
        print(f"hello-service: cannot listen on port {PORT}: {error}", file=sys.stderr)
        return 1

    def stop(number, _frame):
        print(f"hello-service {VERSION} stopping: {signal.Signals(number).name}", flush=True)
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"hello-service {VERSION} listening on port {server.server_address[1]}", flush=True)
    server.serve_forever()
    return 0


sys.exit(check() if "--check" in sys.argv else serve())
