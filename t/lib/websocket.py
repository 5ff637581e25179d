"""A WebSocket server, or a client, made with Python's "websockets".

    websocket.py serve PORT
        says what protocols and credentials a client came with, and echoes
    websocket.py connect URL PROTOCOL...
        prints the protocol that the server has chosen, and two answers; or the
        status with which it was refused
"""

import asyncio
import sys

import websockets


async def serve(port):
    async def answer(socket, *path):
        headers = socket.request_headers

        await socket.send("protocols: %s, credentials: %s"
                          % (headers.get_all("Sec-WebSocket-Protocol"),
                             headers.get_all("Authorization")))

        async for message in socket:
            await socket.send("echo: " + message)

    async with websockets.serve(answer, "127.0.0.1", port,
                                subprotocols=["chat"]):
        await asyncio.Future()


async def connect(url, protocols):
    try:
        async with websockets.connect(url, subprotocols=protocols) as socket:
            await socket.send("hello")

            print("chosen: %s" % socket.subprotocol)
            print(await socket.recv())
            print(await socket.recv())

    except websockets.InvalidStatusCode as refusal:
        print("refused: %d" % refusal.status_code)


if sys.argv[1] == "serve":
    asyncio.run(serve(int(sys.argv[2])))
else:
    asyncio.run(asyncio.wait_for(connect(sys.argv[2], sys.argv[3:]), 20))
