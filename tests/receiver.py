"""A receiver for the tests: stores the requests of a sink of type `http`, and fails on demand.

    python3 tests/receiver.py PORT FOLDER [CERTIFICATE]

It writes each request that it takes to FOLDER/requests.jsonl, as a line of JSON, before it answers. The file FOLDER/mode says how it
handles the next request: `ok`; a status to answer with; `reset`, to reset the connection; `lost`, to store the request and close the
connection without an answer. It rejects every request that holds an event of the stream `poison` with 422, and of the stream
`unknown` with 404. With CERTIFICATE, a file (PEM) that holds a certificate and its key, it speaks TLS.
"""

import asyncio
import json
import socket
import ssl
import struct
import sys
from pathlib import Path

PORT, FOLDER = int(sys.argv[1]), Path(sys.argv[2])
KEPT = open(FOLDER / "requests.jsonl", "a")


async def read_request(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    start, *lines = head.split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return start.split(" ")[0], headers, body.decode()


def keep(headers, body):
    KEPT.write(json.dumps({"headers": headers, "body": body}) + "\n")
    KEPT.flush()


def answer(method, headers, body):
    """Returns the status to answer with, or `reset` or `lost`."""
    mode = (FOLDER / "mode").read_text()
    if mode not in ("ok", "lost"):
        return mode
    if '"subject":"poison"' in body:
        return "422"
    if '"subject":"unknown"' in body:
        return "404"
    if method == "POST":
        keep(headers, body)
    return "204" if mode == "ok" else mode


async def serve(reader, writer):
    try:
        while True:
            what = answer(*await read_request(reader))
            if what == "reset":
                # A close with a linger time of 0 sends a reset.
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
                return
            if what == "lost":
                writer.close()
                return
            length = "" if what == "204" else "Content-Length: 0\r\n"
            writer.write(f"HTTP/1.1 {what} X\r\n{length}\r\n".encode())
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main():
    context = None
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3])
    server = await asyncio.start_server(serve, "127.0.0.1", PORT, ssl=context, reuse_address=True, limit=2**26)
    await server.serve_forever()


asyncio.run(main())
