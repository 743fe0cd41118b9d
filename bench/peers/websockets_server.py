#!/usr/bin/python3
"""Python's websockets as a peer of the benchmark: echo, and one channel.

websockets_server.py PORT PING_SECONDS (0: no pings)
"""

import asyncio
import resource
import sys

import websockets

subscribers = set()


async def serve_connection(socket, path):
    if path.startswith("/echo"):
        async for message in socket:
            await socket.send(message)
    elif path.startswith("/pub/"):
        async for message in socket:
            websockets.broadcast(subscribers, message)
    else:
        subscribers.add(socket)
        try:
            await socket.wait_closed()
        finally:
            subscribers.discard(socket)


async def main(port, ping_seconds):
    async with websockets.serve(
        serve_connection, "127.0.0.1", port,
        compression=None, backlog=4096, ping_interval=ping_seconds or None, ping_timeout=None,
    ):
        await asyncio.Future()


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
