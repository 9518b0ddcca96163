"""The scenario of clients.ts with three libraries: client.py <library> <url> <token> <ca file>."""

import asyncio
import json
import ssl
import struct
import sys

library, url, token, ca = sys.argv[1:]
context = ssl.create_default_context(cafile=ca) if url.startswith("wss:") else None


class Websockets:
    """https://pypi.org/project/websockets/"""

    async def open(self, token):
        import websockets
        from websockets.asyncio.client import connect

        try:
            self.ws = await connect(
                url,
                subprotocols=["harness.v1"],
                additional_headers={"Authorization": f"Bearer {token}"},
                ssl=context,
                max_size=None,
            )
        except websockets.exceptions.InvalidStatus as error:
            return error.response.status_code
        return self.ws.subprotocol

    async def send(self, text):
        await self.ws.send(text)

    async def receive(self):
        from websockets.exceptions import ConnectionClosed

        try:
            return await self.ws.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code

    async def ping(self):
        await (await self.ws.ping())


class Aiohttp:
    """https://pypi.org/project/aiohttp/"""

    async def open(self, token):
        import aiohttp

        self.session = aiohttp.ClientSession()
        try:
            self.ws = await self.session.ws_connect(
                url,
                protocols=["harness.v1"],
                headers={"Authorization": f"Bearer {token}"},
                ssl=context or True,
                autoping=False,
                max_msg_size=0,
            )
        except aiohttp.WSServerHandshakeError as error:
            await self.session.close()
            return error.status
        return self.ws.protocol

    async def send(self, text):
        await self.ws.send_str(text)

    async def receive(self, pong=False):
        from aiohttp import WSMsgType

        while True:
            message = await self.ws.receive()
            if message.type == WSMsgType.PING:
                await self.ws.pong(message.data)
            elif message.type == WSMsgType.PONG and pong:
                return
            elif message.type == WSMsgType.TEXT and not pong:
                return message.data
            elif message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED):
                await self.session.close()
                return self.ws.close_code

    async def ping(self):
        await self.ws.ping(b"are you there")
        await self.receive(pong=True)


class WebsocketClient:
    """https://pypi.org/project/websocket-client/"""

    async def open(self, token):
        import websocket

        try:
            self.ws = websocket.create_connection(
                url,
                subprotocols=["harness.v1"],
                header=[f"Authorization: Bearer {token}"],
                sslopt={"ca_certs": ca},
            )
        except websocket.WebSocketBadStatusException as error:
            return error.status_code
        return self.ws.getsubprotocol()

    async def send(self, text):
        self.ws.send(text)

    async def receive(self, wanted=1):
        while True:
            opcode, data = self.ws.recv_data(control_frame=True)  # answers pings
            if opcode == 8:
                return struct.unpack("!H", data[:2])[0]
            if opcode == wanted:
                return data.decode()

    async def ping(self):
        self.ws.ping("are you there")
        await self.receive(wanted=10)


async def main():
    client = {"websockets": Websockets, "aiohttp": Aiohttp, "websocket-client": WebsocketClient}[library]()
    print("refused", await client.open("a-wrong-token-of-some-length"))
    print("connected", await client.open(token))

    async def take(test):
        while not test(message := json.loads(await client.receive())):
            pass
        return message

    async def request(id, action, params):
        message = {"id": id, "type": "request", "action": action, "params": params}
        await client.send(json.dumps(message))

    async def answer(id):
        return (await take(lambda message: message.get("id") == id))["data"]

    await take(lambda message: message.get("event") == "hello")
    print("hello")
    await request("1", "list_services", {})
    print("listed", sum(service["name"] == "big" for service in await answer("1")))
    await request("2", "subscribe", {})
    await answer("2")
    execution = {"type": "managed_process", "command": "/bin/true"}
    service = {"name": library, "version": "1", "execution": execution}
    await request("3", "register_service", {"service": service})
    await take(lambda message: message.get("event") == "service_registered")
    print("event")
    await request("4", "get_service", {"name": library, "padding": "x" * 1024 * 1024})
    await answer("4")
    print("sent a MiB")
    await client.ping()
    print("pong")
    await take(lambda message: message.get("event") == "bookmark")
    print("bookmark")
    await client.send("nonsense")
    while not isinstance(code := await client.receive(), int):
        pass
    print("closed", code)


asyncio.run(main())
