"""What a retranslation found, for programs: with everything that the messages ask, texts as well."""

from typing import Any

from msgspec import structs

from adapters.kit.correcting import Correction
from adapters.kit.rehearsing import said
from adapters.kit.translating import Translation
from api.retranslating import Differing


def plain(found: Differing) -> dict[str, Any]:
    """For programs: commands with their names."""
    return {
        "exchange": found.exchange,
        "number": found.number,
        "external_id": found.external_id,
        "messages": [
            {
                "reference": each.reference,
                "message_id": each.message_id,
                "outcome": each.outcome,
                "position": each.position,
                "then": _translation(each.what.then),
                "now": _translation(each.what.now),
            }
            for each in found.messages
        ],
        "corrections": [correction_plain(fix) for fix in found.corrections],
    }


def correction_plain(fix: Correction) -> dict[str, Any]:
    return structs.asdict(fix) | {"commands": [said(command) for command in fix.commands]}


def _translation(each: Translation) -> dict[str, Any]:
    return structs.asdict(each) | {"commands": [said(command) for command in each.commands]}
