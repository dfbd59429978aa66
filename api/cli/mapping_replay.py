"""``ticketledger mapping replay`` and ``mapping correct``: a partner's past in other words."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from api.cli.common import Json, harmless, note, operator, print_json, run
from api.cli.mapping import HelpdeskArgument, tables_in

if TYPE_CHECKING:
    from adapters.kit.correcting import Correction
    from adapters.kit.translating import Translation
    from api.bootstrap import Services
    from api.retranslating import Differing


AfterOption = Annotated[
    str, typer.Option(help="Go on after this conversation: the cursor of a run before.")
]


def install(app: typer.Typer) -> None:
    """Add the commands to ``mapping``."""
    app.command()(replay)
    app.command()(correct)


def replay(
    context: typer.Context,
    helpdesk: HelpdeskArgument,
    draft: Annotated[Path, typer.Option(help="Tables as JSON that are not published.")],
    after: AfterOption = "",
    json: Json = False,
) -> None:
    """Read everything ever received with other tables, and show what would differ. Nothing is changed."""
    from api import retranslating, retranslation_lines  # noqa: PLC0415
    from replay.retranslate import BEGINNING  # noqa: PLC0415

    tables = tables_in(draft)
    beginning = UUID(after) if after else BEGINNING

    async def read(services: "Services") -> retranslating.Summary:
        past = await retranslating.through_draft(services, operator(), helpdesk, tables)
        async for each in past.differing(beginning):
            if json:
                print_json(retranslation_lines.plain(each))
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


def correct(
    context: typer.Context,
    helpdesk: HelpdeskArgument,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be done.")
    ] = False,
    after: AfterOption = "",
    json: Json = False,
) -> None:
    """Put tickets right that mappings before the one in force left wrong: state, priority, unit, category.

    Ordinary commands do it, caused by the publication, and the partner is told. Whoever changed a field since is
    not overruled. Ended half-way, it is simply run again.
    """
    from api import correcting, retranslation_lines  # noqa: PLC0415
    from replay.retranslate import BEGINNING  # noqa: PLC0415

    beginning = UUID(after) if after else BEGINNING

    async def do(services: "Services") -> tuple[int, int, UUID]:
        done = stays = 0
        work = await correcting.corrections(services, operator(), helpdesk)
        async for each in work.run(operator(), after=beginning, dry_run=dry_run):
            does = any(fix.commands for fix in each.corrections) and not each.refused
            done, stays = done + does, stays + bool(each.left)
            if json:
                print_json({
                    "exchange": each.found.exchange, "number": each.number, "position": each.position,
                    "refused": each.refused,
                    "corrections": [retranslation_lines.correction_plain(fix) for fix in each.corrections],
                })  # fmt: skip
            else:
                for fix in each.corrections:
                    print(f"ticket {each.number}: {_shown_correction(fix, each.refused)}")
            note(f"{work.past.summary.messages} messages read")
        return done, stays, work.past.summary.cursor

    done, stays, cursor = run(context, do)
    if json:
        print_json({"summary": {"corrected": done, "left": stays, "cursor": cursor}})
    else:
        what = "tickets would be corrected" if dry_run else "tickets corrected"
        print(f"{done} {what}, {stays} left to a person")


def _show_differing(each: "Differing") -> None:
    print(
        f"{each.exchange}  ticket {each.number or '-'}  theirs {harmless(each.external_id) or '-'}"
    )
    for message in each.messages:
        then, now = _shown_outcome(message.what.then), _shown_outcome(message.what.now)
        print(f"    message {message.reference} ({message.outcome}): {then} -> {now}")
    for fix in each.corrections:
        print(f"    {_shown_correction(fix)}")


def _shown_outcome(each: "Translation") -> str:
    if each.outcome == "asked":
        return ", ".join(type(command).__name__ for command in each.commands)
    return f"{each.outcome} {each.why}"


def _shown_correction(fix: "Correction", refused: str = "") -> str:
    commands = ", ".join(type(command).__name__ for command in fix.commands)
    word = repr(harmless(fix.word)) if fix.word else f"message {fix.reference}"
    meant = f"{harmless(fix.value)}; {word} meant {harmless(fix.was) or 'nothing'}"
    left = refused or fix.left
    by = f" ({harmless(fix.since)})" if fix.since else ""
    stays = f", left: {left}{by}" if left else ""
    return f"{fix.field} {meant}, means {harmless(fix.means)}: {commands or '-'}{stays}"
