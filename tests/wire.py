"""A stretch of wire between the program and its database that a test can cut."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo


class Wire:
    """Passes bytes both ways through a socket of its own."""

    def __init__(self, server_socket: Path, conninfo: str) -> None:
        self.conninfo = conninfo
        self._server_socket = server_socket
        self._writers: set[asyncio.StreamWriter] = set()
        self.answers_lost = False
        """While true, the first answer to come is dropped and its connection cut."""

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(str(self._server_socket))
        self._writers |= {writer, server_writer}
        await asyncio.gather(
            self._pass(reader, server_writer, is_answer=False),
            self._pass(server_reader, writer, is_answer=True),
        )

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        try:
            while some := await reader.read(65536):
                if is_answer and self.answers_lost:
                    break
                writer.write(some)
                await writer.drain()
        except ConnectionError:
            pass  # the other end went away, as tests want it to
        writer.close()

    def cut(self) -> None:
        """Break every connection that passes here."""
        for writer in self._writers:
            writer.close()
        self._writers.clear()


@asynccontextmanager
async def wire_to(conninfo: str) -> AsyncIterator[Wire]:
    """Lay a wire to the server that listens on the socket named in ``conninfo``."""
    given = conninfo_to_dict(conninfo)
    name = f".s.PGSQL.{given.get('port', 5432)}"
    with tempfile.TemporaryDirectory() as folder:
        wire = Wire(Path(str(given["host"])) / name, make_conninfo(conninfo, host=folder))
        server = await asyncio.start_unix_server(wire.carry, str(Path(folder) / name))
        try:
            yield wire
        finally:
            server.close()
            wire.cut()
            await asyncio.sleep(0.05)  # lets the carriers end
