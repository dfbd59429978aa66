"""The words that users of a simulation say: each occurs nowhere else."""

import re
from typing import Any, Final

from domain.content import Sealed

WORD: Final = re.compile(r"(?:public|hidden|subject|file)\d+x|vacation")


async def texts(hub: Any, event: Any) -> str:
    """All texts of an event."""
    ids = [
        value.id
        for name in event.__struct_fields__
        if isinstance(value := getattr(event, name), Sealed)
    ]
    found = await hub.memory.contents(ids)
    return "\n".join(found[each].text() for each in ids if each in found)
