"""The application, with a shorter way to the doors where programs bring something a hundred times a second.

What the framework does for people, forms and descriptions costs such a request more than being taken.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

Layer = Callable[[ASGIApp], ASGIApp]


class Hub(FastAPI):
    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self._doors: list[tuple[Route, ASGIApp]] = []

    def open_door(
        self, path: str, take: Callable[[Request], Awaitable[Response]], edge: Layer
    ) -> None:
        """Let ``take`` answer what is posted to ``path``, before anybody else is asked.

        What it raises is answered as elsewhere: call this when all handlers of exceptions are there.
        """

        async def taken(scope: Scope, receive: Receive, send: Send) -> None:
            answer = await take(Request(scope, receive, send))
            await answer(scope, receive, send)

        handlers = dict(self.exception_handlers)
        last = handlers.pop(Exception, None)
        inner = edge(ExceptionMiddleware(taken, handlers=handlers))
        route = Route(path, take, methods=["POST"], include_in_schema=False)
        self._doors.append((route, ServerErrorMiddleware(inner, handler=last)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for route, door in self._doors:
                match, more = route.matches(scope)
                if match is Match.FULL:
                    scope.update(more, app=self, route=route)
                    await door(scope, receive, send)
                    return
        await super().__call__(scope, receive, send)
