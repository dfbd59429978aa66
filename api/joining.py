"""Head and body of an answer leave in one system call: by itself the web server makes two of them.

A system call costs more than all the validation of a usual request.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

WRITE_NOW: Final = "ticketledger.write_now"
"""In the scope of a request: ``JoiningProtocol.write_now``."""


def framed(body: bytes) -> bytes:
    """A piece of an answer without an end, as HTTP/1.1 has it on its way."""
    return b"%x\r\n%b\r\n" % (len(body), body)


class JoiningProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose writes of one turn of the loop go out together."""

    _joining: "_Joining"

    def connection_made(self, transport: Any) -> None:
        self._joining = _Joining(transport)
        super().connection_made(self._joining)  # type: ignore[arg-type]

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[WRITE_NOW] = self.write_now  # type: ignore[typeddict-unknown-key]

    def write_now(self, piece: bytes) -> bool:
        """Write a framed piece of an answer that was begun, without a task: the same bytes may go to hundreds.

        False where the connection takes no more for now, or ends: nothing was written then.
        """
        if self.flow.write_paused or self._joining.is_closing():
            return False
        self._joining.write_now(piece)
        return True


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

    def write_now(self, data: bytes) -> None:
        """What is alone in its turn is not collected."""
        if self._collected:
            self._collected.append(data)
        else:
            self._transport.write(data)

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
