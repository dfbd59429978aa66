"""As many at once as one question can hold."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of ``size`` items, in their order; the last one may be shorter."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some
