"""receive: mails and webhooks of a partner taken in, kept, translated and carried out, until each has its outcome.

The baseline is a bare sink at the same server: for mail it says that it has the mail, and forgets it; for webhooks
a FastAPI route takes the bytes and answers. The sender is another program. Each round brings new tickets of
theirs, each with an opening and some comments; webhooks are signed CloudEvents. What we answer goes to somebody
who takes everything at once, a webhook by HTTP to a third program; the last answers of a round are waited for, before
the other side begins.
"""

from typing import Any

from api.cli.serving import spare_collections
from benchmarks import receiving_mail, receiving_webhooks
from benchmarks.common import Bench, Result, Side, figure
from benchmarks.receiving import CONNECTIONS, MESSAGES, Receiver
from benchmarks.sending import Sender, sending

TARGET = 0.25
_NOTE = f"{CONNECTIONS} connections; every {MESSAGES}th message opens a ticket; until the last one has its outcome"


async def run(bench: Bench) -> list[Result]:
    mails = await _run(
        bench, receiving_mail, "mails", "the mail server alone, taking and forgetting"
    )
    webhooks = await _run(
        bench, receiving_webhooks, "webhooks", "a bare FastAPI route, taking and forgetting"
    )
    return [_both(mails, webhooks), mails, webhooks]


def _both(mails: Result, webhooks: Result) -> Result:
    """As many mails as webhooks, one after the other: reckoned from the two lines."""

    def rate(mail: float, webhook: float) -> float:
        return 2 / (1 / mail + 1 / webhook)

    def cost(mail: tuple[float, float], webhook: tuple[float, float]) -> tuple[float, float]:
        return figure((mail[0] + webhook[0]) / 2), figure((mail[1] + webhook[1]) / 2)

    ours, baseline = rate(mails.ours, webhooks.ours), rate(mails.baseline, webhooks.baseline)
    ratio = ours / baseline
    return Result(
        name="receive", ours=figure(ours), baseline=figure(baseline), baseline_is="both bare sinks",
        unit="messages/s", ratio=figure(ratio), target=TARGET, met=ratio >= TARGET, rounds=mails.rounds,
        ours_cpu_us=cost(mails.ours_cpu_us, webhooks.ours_cpu_us),
        baseline_cpu_us=cost(mails.baseline_cpu_us, webhooks.baseline_cpu_us),
        note="as many mails as webhooks, one after the other; the two lines below are its halves",
    )  # fmt: skip


async def _run(bench: Bench, half: Any, what: str, baseline_is: str) -> Result:
    async with (
        sending(half.PROGRAM, *half.ARGUMENTS) as sender,
        half.hub(bench) as receiver,
        half.bare() as bare,
    ):
        return await _compared(bench, receiver, bare, sender, what, baseline_is)


async def _compared(
    bench: Bench, receiver: Receiver, bare: int, sender: Sender, what: str, baseline_is: str
) -> Result:
    tickets = bench.size(80, 4)
    spare_collections()
    others: list[int] = []

    async def work() -> int:
        after, first = await receiver.store.head(), sender.first(tickets)
        await sender.send(receiver.port, first, tickets)
        others.append(await receiver.settled(after, tickets * MESSAGES))
        return tickets * MESSAGES

    async def baseline() -> int:
        await sender.send(bare, sender.first(tickets), tickets)
        return tickets * MESSAGES

    result = await bench.compare(
        f"receive-{what.removesuffix('s')}", Side(work, receiver.quiet), Side(baseline, receiver.quiet),
        baseline_is=baseline_is, unit=f"{what}/s", target=TARGET, note=_NOTE,
    )  # fmt: skip
    result.gates["every message had its effect"] = not any(others)
    return result
