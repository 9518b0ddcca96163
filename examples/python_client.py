#!/usr/bin/env python3
"""A client for Python (pip install websockets): requests, events across reconnects, a lease.

    python3 examples/python_client.py ws://127.0.0.1:8080                         # prints what changes
    python3 examples/python_client.py ws://127.0.0.1:8080 worker 10.0.0.7:9000    # is in the registry meanwhile
The token is read from HARNESS_TOKEN. For a program of your own copy the class `Registry`.
"""
import asyncio
import contextlib
import json
import os
import random
import sys
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

# Answers may be large, 64 MiB at most. The pings notice a server that is gone without a word.
OPTIONS = {"max_size": 64 * 2**20, "ping_interval": 20, "subprotocols": ["harness.v1"]}
FINAL_CODES = {1002, 1007, 4400}  # what this client sends is wrong, and would be again
FINAL_STATUSES = {400, 401, 403, 404, 426}  # this token, address or client is refused, and would be again


class HarnessError(Exception):
    """What the server answered. Programs read `code`, `retryable` and `details`, people the message."""
    def __init__(self, error):
        super().__init__(f"{error['code']}: {error['message']}")
        self.code, self.retryable, self.details = error["code"], error["retryable"], error.get("details")


class Registry:
    """async with Registry(url, token) as registry: await registry.request("list_services")"""
    def __init__(self, url, token=None):
        self.url, self.headers = url, {"Authorization": f"Bearer {token}"} if token else {}
        self._connected, self._answers = asyncio.Event(), {}
        self._subscription, self._since, self._events = None, {}, asyncio.Queue(1000)
        self._bound = 0.5  # of the random delay, in seconds: clients must not all come back at once

    async def __aenter__(self):
        self._task = asyncio.create_task(self._run())
        await self._first(self._connected.wait())
        return self

    async def __aexit__(self, *_):
        self._task.cancel()

    async def request(self, action, **params):
        """The data of the answer. After a ConnectionError it may have been carried out, or not."""
        await self._first(self._connected.wait())
        id = f"{random.getrandbits(64):x}"
        answer = self._answers[id] = asyncio.get_running_loop().create_future()
        try:
            await self._send(id, action, params)
            return await answer
        except ConnectionClosed as closed:
            raise ConnectionError(str(closed)) from closed
        finally:
            del self._answers[id]

    async def events(self, **subscription):
        """All changes. A `registry_loaded`, at first and after long absence, replaces what you knew."""
        self._subscription = {**subscription, "snapshot": True}
        if self._connected.is_set():
            await self._send("subscribe", "subscribe", self._subscription)
        while True:
            yield await self._first(self._events.get())

    async def keep_alive(self, name, ttl_ms):
        """Renews the lease of an entry. A late heartbeat brings back one that has expired."""
        while True:
            with contextlib.suppress(ConnectionError):  # request() waits for the next connection
                await self.request("heartbeat", name=name)
            await asyncio.sleep(ttl_ms / 3000)

    async def _first(self, awaited):
        awaited = asyncio.ensure_future(awaited)
        await asyncio.wait({awaited, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not awaited.done():
            awaited.cancel()
            self._task.result()  # raises what has ended this client
        return awaited.result()

    async def _send(self, id, action, params):
        message = {"id": id, "type": "request", "action": action, "params": params}
        await self._socket.send(json.dumps(message))

    async def _run(self):
        while True:
            self._pause = 0
            try:
                async with connect(self.url, additional_headers=self.headers, **OPTIONS) as self._socket:
                    await self._serve()
            except InvalidStatus as refused:
                if refused.response.status_code in FINAL_STATUSES:
                    raise HarnessError(json.loads(refused.response.body)["error"]) from refused
                self._pause = float(refused.response.headers.get("Retry-After", 0))
            except (OSError, InvalidHandshake, TimeoutError, ConnectionClosed) as error:
                if getattr(getattr(error, "rcvd", None), "code", None) in FINAL_CODES:
                    raise
            await asyncio.sleep(self._pause + random.uniform(0, self._bound))
            self._bound = min(2 * self._bound, 20)

    async def _serve(self):
        self.hello, self._bound = json.loads(await self._socket.recv())["data"], 0.5
        if self._subscription:
            await self._send("subscribe", "subscribe", {**self._subscription, **self._since})
        self._connected.set()
        try:
            async for text in self._socket:
                await self._take(json.loads(text))
        finally:
            self._connected.clear()
            for answer in (answer for answer in self._answers.values() if not answer.done()):
                answer.set_exception(ConnectionError("it ended before the answer"))

    async def _take(self, message):
        if message["type"] == "response":
            error = HarnessError(message["error"]) if "error" in message else None
            answer = self._answers.get(message["id"])
            if answer and not answer.done():
                answer.set_exception(error) if error else answer.set_result(message["data"])
            elif error:
                raise error  # to the subscription
            elif message["id"] == "subscribe":
                self._epoch = message["data"]["epoch"]
        elif message["event"] == "server_draining":
            self._pause = message["data"]["reconnect_after_ms"] / 1000
        else:
            if message["event"] != "bookmark":
                await self._events.put(message)  # while the queue is full, the server keeps the rest
            if "seq" in message and not message["data"].get("more"):
                self._since = {"since": {"epoch": self._epoch, "seq": message["seq"]}}


async def main(url="ws://127.0.0.1:8080", name=None, address=None):
    async with Registry(url, os.environ.get("HARNESS_TOKEN")) as registry:
        if name:
            entry = {"name": name, "version": "1", "ttl_ms": 10000}
            entry["execution"] = {"type": "managed_process", "command": sys.executable}
            entry["endpoints"] = [{"name": "main", "address": address, "protocol": "tcp"}]
            await registry.request("register_service", service=entry, replace=True)
            lease = asyncio.create_task(registry.keep_alive(name, 10000))
        async for event in registry.events():
            print(json.dumps(event), flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except (HarnessError, KeyboardInterrupt) as error:
        sys.exit(str(error))
