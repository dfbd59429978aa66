"""``ticketledger mapping replay`` and ``mapping correct``: a partner's past in other words."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.common import Json, harmless, note, operator, print_json, run
from api.cli.mapping import HelpdeskArgument, tables_in

if TYPE_CHECKING:
    from adapters.kit.correcting import Correction
    from adapters.kit.translating import Translation
    from api.bootstrap import Services
    from api.retranslating import Differing


def install(app: typer.Typer) -> None:
    """Add the commands to ``mapping``."""
    app.command()(replay)
    app.command()(correct)


def replay(
    context: typer.Context,
    helpdesk: HelpdeskArgument,
    draft: Annotated[Path, typer.Option(help="Tables as JSON that are not published.")],
    after: Annotated[
        str, typer.Option(help="Go on after this conversation: the cursor of a run before.")
    ] = "",
    json: Json = False,
) -> None:
    """Read everything ever received with other tables, and show what would differ. Nothing is changed."""
    from uuid import UUID  # noqa: PLC0415

    from api import retranslating  # noqa: PLC0415
    from replay.retranslate import BEGINNING  # noqa: PLC0415

    tables = tables_in(draft)
    beginning = UUID(after) if after else BEGINNING

    async def read(services: "Services") -> retranslating.Summary:
        past = await retranslating.through_draft(services, operator(), helpdesk, tables)
        async for each in past.differing(beginning):
            if json:
                print_json(retranslating.plain(each))
            else:
                _show_differing(each)
            note(f"{past.summary.messages} messages read")
        return past.summary

    summary = run(context, read)
    if json:
        print_json({"summary": summary})
    else:
        print(
            f"{summary.messages} messages in {summary.conversations} conversations: "
            f"{summary.differing_messages} would be read otherwise; "
            f"{summary.correctable} tickets could be corrected, {summary.left} need a person; "
            f"{summary.erased} messages were erased"
        )


def correct(context: typer.Context, helpdesk: HelpdeskArgument, json: Json = False) -> None:
    """Put tickets right that the mapping before the one in force left in a wrong status.

    Ordinary commands do it, caused by the publication. Whoever moved a ticket since is not overruled.
    """
    from api import retranslating  # noqa: PLC0415

    async def do(services: "Services") -> tuple[int, int]:
        done = left = 0
        async for each in retranslating.correct(services, operator(), helpdesk):
            fix, why = each.correction, each.refused or each.correction.left
            done, left = done + (not why), left + bool(why)
            if json:
                print_json({
                    "number": each.number, "position": each.position, "refused": each.refused,
                    "correction": retranslating.correction_plain(fix),
                })  # fmt: skip
            else:
                print(
                    f"ticket {each.number}: {_shown_correction(fix)}{f', left: {why}' if why else ''}"
                )
        return done, left

    done, left = run(context, do)
    if not json:
        print(f"{done} tickets corrected, {left} left")


def _show_differing(each: "Differing") -> None:
    print(
        f"{each.exchange}  ticket {each.number or '-'}  theirs {harmless(each.external_id) or '-'}"
    )
    for message in each.messages:
        then, now = _shown_outcome(message.what.then), _shown_outcome(message.what.now)
        print(f"    message {message.reference} ({message.outcome}): {then} -> {now}")
    if each.correction:
        left = f", left: {each.correction.left}" if each.correction.left else ""
        print(f"    {_shown_correction(each.correction)}{left}")


def _shown_outcome(each: "Translation") -> str:
    if each.outcome == "asked":
        return ", ".join(type(command).__name__ for command in each.commands)
    return f"{each.outcome} {each.why}"


def _shown_correction(fix: "Correction") -> str:
    commands = ", ".join(type(command).__name__ for command in fix.commands)
    word = harmless(fix.remote_state)
    return (
        f"{fix.status}; {word!r} meant {fix.was or 'nothing'}, means {fix.means}: {commands or '-'}"
    )
