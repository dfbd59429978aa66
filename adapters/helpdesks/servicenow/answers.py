"""What ServiceNow's answers say beside their contents: success, nothing found, and whether there is more."""

from typing import Any

from adapters.kit.http import Answer
from adapters.kit.retry import Undelivered


def listed(answer: Answer, what: str, limit: int, offset: int) -> tuple[list[dict[str, Any]], bool]:
    """The rows of a page, and whether there may be more."""
    if answer.status == 404:  # how older releases say that nothing was found
        must_say_why(answer)
        return [], False
    answer.must_succeed()
    found = result_of(answer)
    if not isinstance(found, list):
        raise Undelivered("strange-answer", f"{what} gave no list", final=False)
    total = answer.headers.get("x-total-count", "")
    more = int(total) > offset + limit if total.isdigit() else len(found) >= limit
    return found, more


def result_of(answer: Answer) -> Any:
    found = answer.json()
    if not isinstance(found, dict) or "result" not in found:
        raise Undelivered("strange-answer", f"no result: {answer.text}"[:500], final=False)
    return found["result"]


def must_say_why(answer: Answer) -> None:
    """A 404 of ServiceNow's own is JSON with an error; a proxy's says nothing about the record."""
    found = answer.json()
    if not isinstance(found, dict) or "error" not in found:
        raise Undelivered("strange-answer", f"404: {answer.text}"[:500], final=False)
