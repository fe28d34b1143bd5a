#!/usr/bin/python3
"""A line of a given round-trip time: relay.py TARGET_PORT RTT_MS PORT_FILE.

Passes TCP connections on to a port of this host. What is sent arrives half a round trip later; what comes first on a
connection a whole one more, which is what it takes to set it up. A connection starts as slowly as those of TCP: as many
bytes can be under way as have arrived before, and ten packets.
"""

import asyncio
import collections
import os
import sys

CHUNK = 1 << 18
FIRST_WINDOW = 10 * 1460


async def take(reader, line, rtt, extra):
    """Reads what may be sent, and notes when it arrives."""
    now = asyncio.get_running_loop().time
    window, sent = FIRST_WINDOW, collections.deque()  # (when the other side has confirmed it, bytes)
    while chunk := await reader.read(CHUNK):
        while chunk:
            while sent and sent[0][0] <= now():
                window += 2 * sent.popleft()[1]
            if window <= 0:
                await asyncio.sleep(sent[0][0] - now())
                continue
            piece, chunk = chunk[:window], chunk[window:]
            window -= len(piece)
            sent.append((now() + rtt + extra, len(piece)))
            line.put_nowait((now() + rtt / 2 + extra, piece))
        extra = 0
    line.put_nowait((now() + rtt / 2, b""))


async def give(writer, line):
    now = asyncio.get_running_loop().time
    while True:
        due, piece = await line.get()
        if (wait := due - now()) > 0:
            await asyncio.sleep(wait)
        if not piece:
            writer.write_eof()
            return
        writer.write(piece)
        await writer.drain()


async def carry(reader, writer, rtt, extra=0):
    line = asyncio.Queue()
    await asyncio.gather(take(reader, line, rtt, extra), give(writer, line))


async def serve(target, rtt, port_file):
    async def connected(reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target, limit=CHUNK)
        try:
            await asyncio.gather(carry(reader, far_writer, rtt, extra=rtt), carry(far_reader, writer, rtt),
                                 return_exceptions=True)
        finally:
            writer.close()
            far_writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=CHUNK, backlog=512)
    with open(port_file + ".new", "w", encoding="ascii") as file:
        file.write(str(server.sockets[0].getsockname()[1]))
    os.rename(port_file + ".new", port_file)
    await server.serve_forever()


asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 1000, sys.argv[3]))
