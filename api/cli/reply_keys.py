"""``ticketledger exchange rotate-reply-key``: sign the addresses for answers by mail with another key."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from api.cli.common import Json, as_operator, print_json, run

if TYPE_CHECKING:
    from api.bootstrap import Services
    from domain.store import Receipt

_OVERLAP_DAYS: Final = 180
_OVERLAP_DAYS_MAX: Final = 3_650


def install(app: typer.Typer) -> None:
    app.command("rotate-reply-key")(rotate_reply_key)


def rotate_reply_key(
    context: typer.Context,
    overlap: Annotated[
        int,
        typer.Option(
            min=0, max=_OVERLAP_DAYS_MAX,
            help="Days for which addresses are believed that were given out before; 0 where the key became known.",
        ),
    ] = _OVERLAP_DAYS,
    until: Annotated[
        str | None, typer.Option(help="Until this instant instead, such as 2027-01-01T00:00:00Z.")
    ] = None,
    json: Json = False,
) -> None:  # fmt: skip
    """Make another key for the addresses that our mails ask for answers at.

    Nothing shows it. That it was replaced is recorded. A running service signs with it within a minute.
    """
    from adapters.store.reply_key import ReplyKeyring  # noqa: PLC0415
    from api.moments import instant  # noqa: PLC0415
    from domain import clock  # noqa: PLC0415
    from domain.errors import Invalid  # noqa: PLC0415
    from domain.identifiers import random_id  # noqa: PLC0415
    from domain.reply_keys import REPLY_KEYS_ID, ReplyKeys  # noqa: PLC0415

    now = clock.now()
    end = instant(until, "until") if until is not None else now + timedelta(days=overlap)
    if not now <= end <= now + timedelta(days=_OVERLAP_DAYS_MAX):
        raise Invalid(f"until: from now on, and {_OVERLAP_DAYS_MAX} days ahead at most")
    key = random_id()

    async def do(services: "Services") -> "Receipt":
        keys = await services.ledger.load(ReplyKeys, REPLY_KEYS_ID) or ReplyKeys(REPLY_KEYS_ID)
        with as_operator():
            keys.rotate(key, end)
            # Recorded first: a rotation that did not come about is repeated, one unknown is a hole.
            receipt = await services.ledger.save(keys)
        assert receipt is not None
        await ReplyKeyring(services.store).rotate(key, end)
        return receipt

    receipt = run(context, do)
    if json:
        print_json({"key": key, "until": end, "position": receipt.position})
        return
    print(
        f"addresses for answers are signed with the key {key}, recorded at position {receipt.position}"
    )
    print(f"those given out before are believed until {end.isoformat(timespec='seconds')}")
