"""The application, with a shorter way to the doors where programs bring something a hundred times a second.

What the framework does for people, forms and descriptions costs such a request more than being taken.
"""

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Match
from starlette.types import Receive, Scope, Send


class Hub(FastAPI):
    doors: Starlette | None = None
    """Asked first; it knows the same state and answers with the same problems."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.doors is not None and scope["type"] == "http":
            for route in self.doors.routes:
                if route.matches(scope)[0] is Match.FULL:
                    await self.doors(scope, receive, send)
                    return
        await super().__call__(scope, receive, send)
