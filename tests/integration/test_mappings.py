"""Published mappings: in force with the next message, in versions, by those who may, by API and command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.kit.carriers import Carriers, MailCourier
from adapters.kit.interface import Line
from adapters.kit.mail_out import NoMailOut
from adapters.kit.round_trip import RoundTrip
from domain.errors import Forbidden, Invalid, NothingToDo, StaleVersion
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id, ticket_id
from domain.lifecycle import Status
from domain.rights import Actor
from domain.ticket import Ticket
from domain.words import Table, Tables
from replay.verify import verify
from tests.exchange_scenarios import RULE, by_test, hub, mail
from tests.numbered_desk import NUMBERED, OURS

ROOT = Path(__file__).parents[2]
OPPOSITE = Table(
    theirs={"1": "unsolved", "2": "solved", "5": "on hold", "6": "in progress", "7": "assigned"},
    ours={
        "new": "7", "assigned": "7", "in progress": "6", "waiting for reply": "5", "on hold": "5",
        "reopened": "6", "solved": "2", "unsolved": "1", "verified": "2", "closed": "2",
    },
)  # fmt: skip


async def publish(ours, helpdesk: str = "osg", **given):
    with by_test():
        return await ours.parts.mappings.publish(RULE, helpdesk, **given)


async def test_a_parked_message_is_read_with_the_words_that_were_published_meanwhile(
    database, mailbox
):
    async with hub(database, mailbox) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_US")
        await mailbox.wait_for(1, 60)
        await ours.send(mail("x", Request_ID=number, Status="3"))
        [parked] = await ours.wait_for(Exchange.Parked, seconds=60)
        exchange = await ours.exchange(number)
        assert "not a state that was agreed on" in await ours.text(parked.detail)

        found, _ = await publish(ours, tables=Tables(states=NUMBERED), reason="They count now.")
        assert (found.mapping, found.version) == ("osg_mail@1/1", 1)
        with by_test():
            await ours.hand.resume(RULE, exchange.id, parked.reference, skip=False)
        await ours.wait_for(Ticket.PutOnHold, seconds=60)
        assert (await ours.exchange(number)).remote_state == "3"

        await ours.send(mail("x", Request_ID=number, Status="6", Detailed_Solution="Done."))
        await ours.wait_for(Ticket.Solved, seconds=60)
        received = await ours.events(Exchange.MessageReceived)
        assert [each.mapping for each in received] == ["osg_mail@1", "osg_mail@1/1"]


async def test_what_they_are_told_is_in_their_words(database, mailbox):
    async with hub(database, mailbox) as ours:
        ours.work()
        units = Table(theirs={"IU": "ROC_US"}, ours={"ROC_US": "IU"})
        await publish(ours, tables=Tables(states=NUMBERED, units=units))
        await ours.open_ticket("ROC_US")
        [opening] = await mailbox.wait_for(1, 60)
        assert b"<GHD_Status>1</GHD_Status>" in opening
        assert b"<GHD_Responsible_Unit>IU</GHD_Responsible_Unit>" in opening


async def test_two_helpdesks_of_one_product_may_number_their_states_in_opposite_ways(
    database, mailbox
):
    async with hub(database, mailbox) as ours:
        with by_test():
            other = Helpdesk(named_id(Helpdesk.KIND, "cz"))
            other.register("cz", "osg_mail", address="m@cz.test", sender="footprints@cz.test")
            other.set_policy(Policy.FULL)
            other.set_interface(InterfaceState.LIVE)
            await ours.ledger.save(other)
        await publish(ours, "osg", tables=Tables(states=NUMBERED))
        await publish(ours, "cz", tables=Tables(states=OPPOSITE))
        ours.work()
        said = {}
        for name in ("osg", "cz"):
            number = await ours.open_ticket()
            with by_test():
                await ours.hand.send(RULE, number, name)
            await ours.send(
                mail("x", Request_ID=number, Status="6", Detailed_Solution="Done."),
                sender=f"footprints@{name}.test",
                recipient=f"{name}@hub.test",
            )
            said[name] = number
        [solved] = await ours.wait_for(Ticket.Solved, seconds=60)
        await ours.wait_for(Exchange.Applied | Exchange.Ignored, 2, seconds=60)
        assert solved.originator_id == ticket_id(said["osg"])
        assert (await ours.ledger.ticket(said["cz"])).status is not Status.SOLVED


async def test_versions_are_told_with_who_when_why_and_what(database, mailbox):
    async with hub(database, mailbox) as ours:
        await publish(ours, tables=Tables(states=NUMBERED), reason="They count now.")
        changed = Table(theirs=NUMBERED.theirs | {"2": "on hold"}, ours=OURS | {"in progress": "3"})
        await publish(ours, tables=Tables(states=changed), expected=1)
        first, second = await ours.parts.mappings.versions("osg")
        assert (first.version, first.mapping, first.by) == (1, "osg_mail@1/1", RULE.name)
        assert first.reason == "They count now."
        assert [
            (each.direction, each.word, each.before, each.after) for each in second.changes
        ] == [
            ("theirs", "2", "in progress", "on hold"),
            ("ours", "in progress", "2", "3"),
        ]
        with pytest.raises(StaleVersion):
            await publish(ours, tables=Tables(), expected=1)
        with pytest.raises(NothingToDo):
            await publish(ours, tables=Tables(states=changed))
        with pytest.raises(Invalid, match="does not say what is written for: new"):
            await publish(ours, tables=Tables(states=Table(theirs=NUMBERED.theirs)))
        supporter = Actor("rule:test@1")
        with pytest.raises(Forbidden), by_test():
            await ours.parts.mappings.publish(supporter, "osg", Tables())
        assert (await verify(database)).ok
        report = await ours.parts.mappings.report("osg", Tables(states=NUMBERED))
        assert isinstance(report, RoundTrip)
        assert "states: closed not told" in report.lost


class Telephone:
    """Connects, and remembers on which terms."""

    def __init__(self) -> None:
        self.places, self.closed = [], 0

    def check(self, address):
        pass

    def connect(self, place, secret, *, allow_private):
        self.places.append(place)
        return Line(courier=MailCourier(NoMailOut(), place), close=self._close)

    async def _close(self) -> None:
        self.closed += 1


async def test_a_line_is_made_anew_when_the_words_change(database, mailbox):
    async with hub(database, mailbox) as ours:
        telephone = Telephone()
        carriers = Carriers(
            ours.parts.conversations.place, NoMailOut(), {"osg_mail": telephone},
            ours.parts.carriers._secrets, allow_private=True,
        )  # fmt: skip
        partner = await ours.parts.conversations.known_partner("osg")
        await carriers.courier(partner)
        await carriers.courier(partner)
        assert len(telephone.places) == 1
        await publish(ours, tables=Tables(states=NUMBERED))
        await carriers.courier(await ours.parts.conversations.known_partner("osg"))
        assert [place.mapping for place in telephone.places] == ["osg_mail@1", "osg_mail@1/1"]
        assert telephone.closed == 1


async def test_the_api_publishes_for_administrators_and_refuses_a_lost_update(services, sign_in):
    with by_test():
        helpdesk = Helpdesk(named_id(Helpdesk.KIND, "osg"))
        helpdesk.register("osg", "osg_mail")
        await services.ledger.save(helpdesk)
    where, body = (
        "/api/v1/helpdesks/osg/mapping",
        {"states": {"theirs": NUMBERED.theirs, "ours": OURS}},
    )
    supporter, admin = await sign_in("supporter:NGI_DE"), await sign_in("admin")

    shown = await supporter.get(where)
    assert (shown.status_code, shown.headers["etag"]) == (200, '"0"')
    refused = await supporter.post(where, json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")

    for given, status, code in (
        ({"states": {"theirs": {"1": "on fire"}, "ours": OURS}}, 422, "invalid"),
        ({"states": {"theirs": {}, "ours": {}}}, 422, "invalid"),
        ({"status": {}}, 422, "invalid"),
        ({"units": {"ours": {str(n): "x" for n in range(501)}}}, 422, "invalid"),
    ):
        answer = await admin.post(where, json=given)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text

    published = await admin.post(where, json=body, headers={"If-Match": '"0"'})
    assert (published.status_code, published.headers["etag"]) == (201, '"1"')
    again = await admin.post(where, json=body, headers={"If-Match": '"0"'})
    assert (again.status_code, again.json()["code"]) == (412, "stale-version")
    [version] = (await supporter.get(f"{where}/versions")).json()["items"]
    assert version["by"] == admin.actor.name
    assert (await supporter.get(where)).json()["words"]["states"]["theirs"] == NUMBERED.theirs
    nobody = await admin.get("/api/v1/helpdesks/nobody/mapping")
    assert (nobody.status_code, nobody.json()["code"]) == (404, "entry-not-found")


def test_the_command_line_shows_publishes_and_reports(database, tmp_path):
    def run(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "api.cli.main", *arguments], check=False, cwd=ROOT,
            env={**os.environ, "TICKETLEDGER_DATABASE_URL": database}, capture_output=True, text=True,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stderr
        return done

    run(
        "directory",
        "helpdesk",
        "rt_site",
        "--adapter",
        "rt",
        "--address",
        "https://b@rt.example.org/",
    )
    shown = json.loads(run("mapping", "show", "rt_site", "--json").stdout)
    assert (shown["mapping"], shown["version"]) == ("rt@1", 0)
    words = shown["words"]
    words["states"]["theirs"]["escalated"] = "in progress"
    file = tmp_path / "tables.json"
    file.write_text(json.dumps({"states": words["states"]}))

    drafted = json.loads(run("mapping", "report", "rt_site", "--draft", str(file), "--json").stdout)
    states = next(each for each in drafted["tables"] if each["name"] == "states")
    assert [each["theirs"] for each in states["theirs"] if not each["survives"]] == ["escalated"]
    told = run(
        "mapping",
        "publish",
        "rt_site",
        str(file),
        "--reason",
        "A state of theirs.",
        "--expect",
        "0",
    )
    assert told.stdout.startswith("rt@1/1 is in force for rt_site since position")
    assert "they say 'escalated': in progress" in run("mapping", "show", "rt_site").stdout
    assert (
        "states: their 'escalated' was nothing, is 'in progress'"
        in run("mapping", "versions", "rt_site").stdout
    )
    assert "escalated" in run("mapping", "report", "rt_site").stdout
    file.write_text('{"states": {"theirs": {"x": "on fire"}}}')
    wrong = run("mapping", "publish", "rt_site", str(file), check=False)
    assert wrong.returncode == 1
    assert "does not say what is written for" in wrong.stderr
