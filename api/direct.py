"""Routes that call their function directly: the short way of a request that is as it should be.

The framework collects a function's arguments anew for every request, which costs as much as many a function.
Here that is planned once. Whatever is not quite as it should be goes the framework's way after all, so what
is refused, how it is told, and the documentation stay the framework's.
"""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import fields
from typing import Any, Final

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from msgspec import Struct
from pydantic import BaseModel, ValidationError

Handler = Callable[[Request], Awaitable[Response]]

_JSON: Final = "application/json"
_OF_DEPENDENCIES: Final = frozenset({"dependencies", "name", "call", "request_param_name", "path"})
_OF_ROUTES: Final = frozenset(
    {"dependencies", "path_params", "body_params", "call", "path", "scope"}
)


class DirectRoute(APIRoute):
    """For functions that return responses and need a body, values of the path, and what a request tells."""

    def get_route_handler(self) -> Any:
        whole = super().get_route_handler()
        plan = _plan(self.dependant)
        if plan is None:
            return whole
        function = plan.function

        async def handle(request: Request) -> Response:
            values = await plan.values(request)
            return await (whole(request) if values is None else function(**values))

        return handle


class _Plan(Struct, frozen=True):
    function: Callable[..., Awaitable[Response]]
    path: list[Any]
    """The fields of the path, as the framework validates them."""
    body: tuple[str, type[BaseModel]] | None
    given: list[tuple[str, str, Callable[..., Awaitable[Any]]]]
    """Names of arguments, and which functions of the request (and by what name they take it) tell them."""

    async def values(self, request: Request) -> dict[str, Any] | None:
        """The arguments; None when something about them has to be refused."""
        values: dict[str, Any] = {}
        for field in self.path:
            values[field.name], errors = field.validate(request.path_params.get(field.alias))
            if errors:
                return None
        if self.body is not None:
            name, model = self.body
            if request.headers.get("content-type") != _JSON:
                return None
            try:
                values[name] = model.model_validate_json(await request.body())
            except ValidationError:
                return None
        for name, of_request, ask in self.given:
            values[name] = await ask(**{of_request: request})
        return values


def _plan(dependant: Dependant) -> _Plan | None:
    """None for a function that needs more than we know about."""
    function = dependant.call
    assert function is not None
    if inspect.signature(function).return_annotation is not Response:
        return None
    if not inspect.iscoroutinefunction(function) or _beyond(dependant, _OF_ROUTES):
        return None
    bodies = [(field.name, field.field_info.annotation) for field in dependant.body_params]
    if len(bodies) > 1 or not all(_is_model(kind) for _, kind in bodies):
        return None
    given = []
    for each in dependant.dependencies:
        if _beyond(each, _OF_DEPENDENCIES) or each.dependencies:
            return None
        if not each.request_param_name or not inspect.iscoroutinefunction(each.call):
            return None
        assert each.name is not None
        given.append((each.name, each.request_param_name, each.call))
    return _Plan(function, list(dependant.path_params), bodies[0] if bodies else None, given)  # type: ignore[arg-type]


def _beyond(dependant: Dependant, known: frozenset[str]) -> bool:
    """Whether something is needed that is not in ``known``."""
    usual = Dependant()
    names = [field.name for field in fields(dependant) if field.name not in known]
    return any(
        (getattr(dependant, name) or None) != (getattr(usual, name) or None) for name in names
    )


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
