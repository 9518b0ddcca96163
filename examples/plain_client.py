#!/usr/bin/env python3
"""A client with nothing but Python's standard library: lists the services, then follows their states.

    python3 examples/plain_client.py 127.0.0.1 8080 [token]

With a WebSocket package (websockets, websocket-client) the first half of this file is one call.
"""

import base64
import json
import os
import socket
import struct
import sys


def connect(host, port, token=None):
    """Does the WebSocket handshake and returns a reader of the connection."""
    connection = socket.create_connection((host, port))
    lines = [
        "GET / HTTP/1.1",
        f"Host: {host}:{port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Protocol: harness.v1",
    ]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    reader = connection.makefile("rb")
    status = reader.readline().decode().strip()
    while reader.readline().strip():
        pass
    if " 101 " not in status:
        sys.exit(f"refused: {status}")
    return connection, reader


def send(connection, opcode, payload):
    """Sends one frame, masked as clients must."""
    mask = os.urandom(4)
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | length)
    else:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, length)
    body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    connection.sendall(head + mask + body)


def messages(connection, reader):
    """Yields what the server says; answers its pings."""
    text = b""
    while True:
        head = reader.read(2)
        if len(head) < 2:
            return
        final, opcode, length = head[0] & 0x80, head[0] & 0x0F, head[1] & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", reader.read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", reader.read(8))
        payload = reader.read(length)
        if opcode == 8:
            return
        if opcode == 9:
            send(connection, 10, payload)
        elif opcode in (0, 1):
            text += payload
            if final:
                yield json.loads(text)
                text = b""


def request(connection, id, action, params=None):
    message = {"id": id, "type": "request", "action": action, "params": params or {}}
    send(connection, 1, json.dumps(message).encode())


def main(host="127.0.0.1", port="8080", token=None):
    connection, reader = connect(host, int(port), token)
    request(connection, "123", "list_services")
    request(connection, "124", "subscribe", {"events": ["service_state_changed"]})
    for message in messages(connection, reader):
        if "error" in message:
            print(message["error"]["code"], message["error"]["message"], flush=True)
        elif message.get("id") == "123":
            for service in message["data"]:
                print(service["id"], service["state"], flush=True)
        elif message.get("id") == "124":
            print("subscribed", flush=True)
        elif message.get("event") == "service_state_changed":
            data = message["data"]
            print(data["id"], data["old_state"], "->", data["new_state"], flush=True)


main(*sys.argv[1:])
