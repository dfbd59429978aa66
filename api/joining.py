"""Head and body of an answer leave in one system call: by itself the web server makes two of them.

A system call costs more than all the validation of a usual request.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class JoiningProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose writes of one turn of the loop go out together."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(_Joining(transport))  # type: ignore[arg-type]


class _Joining:
    """A transport that collects until the loop comes round; everything else is the transport's own."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._call_soon = asyncio.get_running_loop().call_soon
        self._collected: list[bytes] = []
        # Asked in every request: not looked up again and again.
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._collected:
            self._call_soon(self._flush)
        self._collected.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._flush()
        self._transport.set_protocol(protocol)

    def _flush(self) -> None:
        if self._collected:
            collected, self._collected = self._collected, []
            self._transport.write(b"".join(collected))
