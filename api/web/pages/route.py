"""What goes wrong on a page is shown as a page: the same refusals as in the API, for people."""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.routing import APIRoute

from api import problems
from api.auth import NotSignedIn
from api.problems import BadRequest, KeyReused, ScopeMissing
from api.web.rendering import page
from domain.errors import Forbidden, NotFound, Refused, StaleVersion, StoreUnavailable

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_TITLES = {
    NotFound: "Not here",
    Forbidden: "Your roles do not permit this",
    StaleVersion: "Somebody was faster",
    StoreUnavailable: "The database does not answer",
}


class PageRoute(APIRoute):
    """A route of a page: strangers are sent to sign in, refusals are explained."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await handle(request)
            except NotSignedIn:
                return _to_sign_in(request)
            except Refused as refusal:
                title = next(
                    (text for kind, text in _TITLES.items() if isinstance(refusal, kind)),
                    "This is not possible",
                )
                status = problems.of_refusal(refusal).status_code
                return _explained(request, title, str(refusal), status, refusal.possible)
            except (ScopeMissing, KeyReused, BadRequest) as error:
                return _explained(
                    request,
                    "This is not possible",
                    str(error) or "The form was sent twice, differently.",
                    403,
                )
            except RequestValidationError as error:
                wrong = "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors())
                return _explained(request, "The address or form is not right", wrong, 422)
            except msgspec.ValidationError as error:
                return _explained(request, "The form is not right", str(error), 422)

        return shown


def page_router() -> APIRouter:
    return APIRouter(include_in_schema=False, route_class=PageRoute)


def _explained(
    request: Request, title: str, detail: str, status: int, possible: tuple[str, ...] = ()
) -> Response:
    values = {"title": title, "detail": detail, "possible": possible, "back": _back(request)}
    return page(request, "problem.html", values, status=status)


def _back(request: Request) -> str:
    """A form was sent from the page above it; anything else leads home."""
    return request.url.path.rpartition("/")[0] if request.method == "POST" else "/"


def _to_sign_in(request: Request) -> Response:
    """The reader comes back to this page; a form has to be sent again by hand."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    address = f"/sign-in?next={quote(here if request.method == 'GET' else '/queues')}"
    if request.headers.get("hx-request"):
        return Response(status_code=401, headers={"HX-Redirect": address})
    return RedirectResponse(address, 303)
