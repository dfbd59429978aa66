"""Tells open pages that something moved (server-sent events), so that they read anew what they show."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from fastapi import Request
from fastapi.responses import StreamingResponse

from api.bootstrap import Services
from api.web.pages.reader import Reader, services_of
from api.web.pages.route import page_router

router = page_router()

_BREATH_S: Final = 0.25
"""No page is told more often than this."""
_SIGN_OF_LIFE_S: Final = 15.0


@router.get("/live")
async def live(request: Request, _: Reader) -> StreamingResponse:
    """A ``moved`` event per move of the projections: a hint on which a page asks for its own part again."""
    return StreamingResponse(
        _moves(services_of(request)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _moves(services: Services) -> AsyncGenerator[bytes]:
    """Ends with the program, so that it can stop while readers are connected."""
    yield b"retry: 2000\n\n"
    position = _position(services)
    while not services.stopping.is_set():
        if await services.projector.wait_for(position + 1, _SIGN_OF_LIFE_S):
            position = _position(services)
            yield b"event: moved\ndata: %d\n\n" % position
            await asyncio.sleep(_BREATH_S)
        else:
            yield b": still here\n\n"


def _position(services: Services) -> int:
    """What all projections include."""
    return min(services.projector.positions().values(), default=0)
