"""``ticketledger attach`` and ``attachment``: files of tickets, in and out."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.common import Json, as_operator, note, operator, print_json, run
from api.cli.reading import NumberArgument

if TYPE_CHECKING:
    from api.attachments import AttachedFile
    from api.bootstrap import Services

_STANDARD = "-"
_LARGE_BYTES = 1_000_000


def install(app: typer.Typer) -> None:
    app.command("attach")(attach)
    app.command("attachment")(attachment)


def attach(
    context: typer.Context,
    number: NumberArgument,
    file: Annotated[
        Path, typer.Argument(help="At most 8,000,000 bytes.", exists=True, dir_okay=False)
    ],
    *,
    internal: Annotated[bool, typer.Option("--internal", help="For supporters only.")] = False,
    name: Annotated[str, typer.Option(help="Another name for it.")] = "",
    json: Json = False,
) -> None:
    """Attach a file to a ticket. Partners that have the ticket get it too, unless it is internal."""
    from adapters.kit.files import guessed_media_type  # noqa: PLC0415
    from domain.commands import Attach  # noqa: PLC0415
    from domain.vocabulary import Visibility  # noqa: PLC0415

    called = name or file.name
    command = Attach(
        number=number,
        name=called,
        media_type=guessed_media_type(called),
        body=_read(file),
        visibility=Visibility.INTERNAL if internal else Visibility.PUBLIC,
    )
    _tell(f"attaching {len(command.body):,} bytes ...", len(command.body))

    async def attached(services: "Services") -> "AttachedFile":
        from api.attachments import files_of  # noqa: PLC0415

        with as_operator():
            outcome = await services.ledger.execute(command, actor=operator())
        files = await files_of(services.ledger, operator(), number)
        return next(each for each in files if each.version == outcome.ticket.files[-1].version)

    told = run(context, attached)
    if json:
        print_json(told)
    else:
        print(f"{number}: file {told.version} ({told.size} bytes, sha256 {told.sha256})")


def attachment(
    context: typer.Context,
    number: NumberArgument,
    which: Annotated[str, typer.Argument(help="Its name, or its number as `show` tells it.")],
    output: Annotated[
        str, typer.Option("--output", "-o", help="Write it here; - is standard output.")
    ] = "",
) -> None:
    """Fetch a file of a ticket, as it was attached: nobody has looked into it.

    Without --output it gets its own name, in this folder, and never takes the place of a file that is there.
    """
    from api.attachments import download, files_of  # noqa: PLC0415

    async def fetched(services: "Services") -> "tuple[AttachedFile, bytes]":
        file = _chosen(await files_of(services.ledger, operator(), number), which)
        _tell(f"fetching {file.size:,} bytes ...", file.size)
        answer = await download(services.ledger, operator(), number, file.version)
        return file, bytes(answer.body)

    file, body = run(context, fetched)
    if output == _STANDARD:
        sys.stdout.buffer.write(body)
        return
    path = Path(output or file.name)
    with path.open("wb" if output else "xb") as target:
        target.write(body)
    print(f"{path} ({file.size} bytes, sha256 {file.sha256})")


def _read(file: Path) -> bytes:
    """Raises ``TooLarge`` before it is all in memory."""
    from domain.errors import TooLarge  # noqa: PLC0415
    from domain.vocabulary import FILE_BYTES_MAX  # noqa: PLC0415

    with file.open("rb") as source:
        body = source.read(FILE_BYTES_MAX + 1)
    if len(body) > FILE_BYTES_MAX:
        size = max(file.stat().st_size, len(body))
        raise TooLarge(f"{file} has {size} bytes, at most {FILE_BYTES_MAX} are taken")
    return body


def _chosen(files: "list[AttachedFile]", which: str) -> "AttachedFile":
    """By its name, else by its number. Raises ``EntryNotFound``, ``typer.BadParameter``."""
    from domain.errors import EntryNotFound  # noqa: PLC0415

    found = [each for each in files if each.name == which]
    if not found and which.isascii() and which.isdigit():
        found = [each for each in files if each.version == int(which)]
    if not found:
        raise EntryNotFound("file", which)
    if len(found) > 1:
        numbers = ", ".join(str(each.version) for each in found)
        raise typer.BadParameter(f"{len(found)} files have this name: say which, {numbers}")
    return found[0]


def _tell(message: str, size: int) -> None:
    if size > _LARGE_BYTES:
        note(message)
