"""``ticketledger feed``: what partners may read, tokens for it, and how pushing goes."""

import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from api.cli.common import Json, as_operator, harmless, print_json, run, settings_of, shown

if TYPE_CHECKING:
    from api.bootstrap import Services
    from api.feed_pushing import FeedPushing, PushStatus

T = TypeVar("T")
app = typer.Typer(help="Feeds of partner helpdesks.", no_args_is_help=True)

Partner = Annotated[str, typer.Argument(help="Name of the helpdesk.")]
After = Annotated[int, typer.Option(min=0, help="Push what follows this sequence.")]


@app.command()
def token(
    context: typer.Context,
    helpdesk: Partner,
    expires: Annotated[str, typer.Option(help="For example 30d, 12h or 5m.")] = "365d",
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    json: Json = False,
) -> None:
    """Make a token with which the partner reads its feed, looks at its tickets and drives its conformance runs, and nothing else."""
    from api.cli.tokens import duration  # noqa: PLC0415

    lifetime = duration(expires)

    async def make(services: "Services") -> tuple[object, str]:
        await services.feed_pushing.must_be_known(helpdesk)
        return await services.tokens.create_for_helpdesk(helpdesk, lifetime, label)

    token_id, made = run(context, make)
    if json:
        print_json({"helpdesk": helpdesk, "id": token_id, "token": made})
    else:
        print(made)


@app.command()
def status(context: typer.Context, helpdesk: Partner, json: Json = False) -> None:
    """How long the feed is, and how far it was pushed."""
    from projections import feed_pages  # noqa: PLC0415

    async def read(services: "Services") -> "tuple[feed_pages.FeedState, PushStatus]":
        await services.feed_pushing.must_be_known(helpdesk)
        state = await services.ask(lambda connection: feed_pages.state(connection, helpdesk))
        return state, await services.feed_pushing.status(helpdesk)

    state, pushed = run(context, read, work=True)
    if json:
        print_json({"feed": state, "push": pushed})
        return
    zone = settings_of(context).zone
    print(f"{helpdesk}: {state.last} entries, the last at {shown(state.changed_at, zone) or '-'}")
    print(f"hash {state.hash}")
    if pushed.state == "none":
        print("It is not pushed.")
        return
    why = f" ({pushed.why})" if pushed.why else ""
    print(f"pushed to {pushed.url}: {pushed.state}{why}, taken up to {pushed.acknowledged}")
    if pushed.attempts:
        again = f", next at {shown(pushed.retry_at, zone)}" if pushed.state == "active" else ""
        print(f"{pushed.attempts} failed attempts{again}: {harmless(pushed.last_error)}")


@app.command()
def subscribe(
    context: typer.Context,
    helpdesk: Partner,
    url: Annotated[str, typer.Argument(help="Where to; https.")],
    after: After = 0,
) -> None:
    """Have the feed pushed as signed webhooks. Prints the key, once."""
    secret = _do(context, lambda pushing: pushing.subscribe(helpdesk, url, after))
    print(secret or "The key stays as it is.")


@app.command()
def pause(context: typer.Context, helpdesk: Partner) -> None:
    """Push nothing for a while."""
    _do(context, lambda pushing: pushing.pause(helpdesk))
    print(f"paused: {helpdesk}")


@app.command()
def resume(context: typer.Context, helpdesk: Partner) -> None:
    """Go on pushing, at once."""
    _do(context, lambda pushing: pushing.resume(helpdesk))
    print(f"resumed: {helpdesk}")


@app.command()
def end(context: typer.Context, helpdesk: Partner) -> None:
    """Push no more."""
    _do(context, lambda pushing: pushing.end(helpdesk))
    print(f"ended: {helpdesk}")


@app.command()
def rewind(
    context: typer.Context,
    helpdesk: Partner,
    after: Annotated[
        int | None, typer.Option(min=0, help="Push what follows this sequence.")
    ] = None,
    at: Annotated[str | None, typer.Option(help="Push what came at this instant or later.")] = None,
) -> None:
    """Push again, from a sequence or an instant on."""
    from api.moments import instant  # noqa: PLC0415
    from projections import feed_pages  # noqa: PLC0415

    if (after is None) == (at is None):
        raise typer.BadParameter("name either --after or --at")
    moment = instant(at, "at") if at is not None else None

    async def do(services: "Services") -> int:
        place = after or 0
        if moment is not None:
            mark_at = partial(feed_pages.mark_at, helpdesk=helpdesk, at=moment)
            place = (await services.ask(mark_at)).sequence
        with as_operator():
            await services.feed_pushing.rewind(helpdesk, place)
        return place

    place = run(context, do, work=moment is not None)
    print(f"{helpdesk} gets what follows {place}")


@app.command("rotate-key")
def rotate_key(
    context: typer.Context,
    helpdesk: Partner,
    overlap: Annotated[int, typer.Option(min=0, max=168, help="Hours in which the old key signs too.")] = 24,
) -> None:  # fmt: skip
    """Make another key and print it, once."""
    hours = timedelta(hours=overlap)
    secret, until = _do(context, lambda pushing: pushing.rotate_key(helpdesk, hours))
    print(secret)
    print(f"The old key signs until {until.isoformat(timespec='seconds')}.", file=sys.stderr)


@app.command()
def verify(
    file: Annotated[typer.FileText, typer.Argument(help="One entry (a CloudEvent) per line.")],
) -> None:
    """Check entries that somebody kept: none missing, none changed. Needs no ledger."""
    import msgspec  # noqa: PLC0415

    from domain.feeds import Broken, Mark, followed  # noqa: PLC0415
    from projections.feed_pages import CloudEvent  # noqa: PLC0415

    mark = None
    for number, line in enumerate(file, 1):
        try:
            entry = msgspec.json.decode(line, type=CloudEvent).data
            mark = followed(mark or Mark(entry.sequence - 1, entry.previous), entry)
        except (Broken, msgspec.MsgspecError) as error:
            print(f"line {number}: {error}", file=sys.stderr)
            raise typer.Exit(1) from error
    print(f"whole up to {mark.sequence}, hash {mark.hash}" if mark else "There are no entries.")


def _do(context: typer.Context, command: "Callable[[FeedPushing], Awaitable[T]]") -> T:
    async def do(services: "Services") -> T:
        with as_operator():
            return await command(services.feed_pushing)

    return run(context, do)
