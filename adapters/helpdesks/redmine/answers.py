"""What Redmine's answers say beside their contents: success and refusal."""

from typing import Any

from adapters.kit.http import Answer
from adapters.kit.retry import Undelivered


def errors_of(answer: Answer) -> list[Any] | None:
    """What Redmine finds wrong with a wish; None where it does not say 422."""
    if answer.status != 422:
        return None
    found = answer.json()
    errors = found.get("errors") if isinstance(found, dict) else None
    return errors if isinstance(errors, list) else [answer.text[:200]]


def must_not_be_refused(answer: Answer) -> None:
    if errors := errors_of(answer):
        raise Undelivered("refused", "; ".join(map(str, errors))[:1000], final=True)


def part_of(answer: Answer, name: str) -> Any:
    """What an answer with success says under a name."""
    answer.must_succeed()
    found = answer.json()
    if not isinstance(found, dict) or name not in found:
        raise Undelivered("strange-answer", f"no {name} in {answer.text[:200]}", final=False)
    return found[name]
