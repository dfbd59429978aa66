"""A partner's words read with its tables. Unknown ones are loud: they are never taken for a default."""

from adapters.kit.contract import Unreadable
from domain.lifecycle import Status
from domain.vocabulary import Priority
from domain.words import Words


def status(words: Words, word: str) -> Status | None:
    """Our status for their state; None for one that moves nothing. Raises ``Unreadable``."""
    found = words.states.read(word)
    if found is None:
        raise Unreadable(f"state {word[:60]!r} is not one that was agreed on")
    return Status(found) if found else None


def known_state(words: Words, word: str) -> Status | None:
    """The same without complaint: None as well for a word that is not known.

    ``word`` is as the partner wrote it; tables of formats whose case does not matter hold small letters.
    """
    found = words.states.read(word) or words.states.read(plain(word))
    return Status(found) if found else None


def plain(word: str) -> str:
    """In small letters, with single spaces where hyphens and underscores were: so tables need one spelling."""
    return " ".join(word.replace("_", " ").replace("-", " ").lower().split())


def priority(words: Words, word: str) -> Priority | None:
    """Our priority for theirs; None for one that moves nothing. Raises ``Unreadable``."""
    found = words.priorities.read(word)
    if found is None:
        raise Unreadable(f"priority {word[:60]!r} is not one that was agreed on")
    return Priority(found) if found else None


def status_there(words: Words, ours: Status) -> str:
    """Their state for our status; empty where they are not told."""
    found = words.states.write(ours.value)
    assert found is not None, "the table of states has every status"
    return found


def priority_there(words: Words, ours: Priority) -> str:
    """Their priority for ours; empty where they are not told."""
    found = words.priorities.write(ours.value)
    assert found is not None, "the table of priorities has every priority"
    return found


def unit(words: Words, word: str) -> str:
    """Our name of their unit: the same, where no other was agreed on."""
    found = words.units.read(word)
    return word if found is None else found


def unit_there(words: Words, name: str) -> str:
    """Their name of our unit: the same, where no other was agreed on."""
    found = words.units.write(name)
    return name if found is None else found
