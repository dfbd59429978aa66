"""Where followers and tasks keep how far they got, so that they go on after a crash."""

from typing import Protocol


class Checkpoints(Protocol):
    """By a name each. They only save work: whoever keeps one must bear to do again what came after it, or all."""

    async def load(self, name: str) -> tuple[int, bytes]:
        """A position in the log and a few bytes of the keeper's own; 0 and nothing where none was saved.

        Raises ``StoreUnavailable``, as ``save`` does.
        """
        ...

    async def save(self, name: str, position: int, memory: bytes) -> None:
        """Replace both."""
        ...
