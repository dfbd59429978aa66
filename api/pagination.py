"""Pages of lists as the API shows them: the items, and a link to the next page where there is one."""

from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from fastapi import Request, Response
from msgspec import Struct

from api.dependencies import answer
from projections.paging import Page

T = TypeVar("T")


class Listing(Struct, Generic[T], frozen=True):
    items: list[T]
    next: str | None
    """Path and query of the next page; null on the last one."""


def listing(request: Request, page: Page[Any]) -> Response:
    """A page of a projection with its link, also as ``Link`` header (RFC 8288)."""
    link = next_link(request, cursor=page.next) if page.next is not None else None
    return answer(Listing(page.items, link), {"Link": f'<{link}>; rel="next"'} if link else None)


def next_link(request: Request, **changed: Any) -> str:
    """The path and query of this request with some parameters changed."""
    kept = [each for each in request.query_params.multi_items() if each[0] not in changed]
    return f"{quote(request.scope['path'])}?{urlencode([*kept, *changed.items()])}"
