"""Versions that a restored log gives again: who read one of before the loss changes nothing by it."""

import asyncio

from api import restoring
from api.bootstrap import Services
from domain.helpdesk import Helpdesk
from domain.identifiers import named_id
from tests.exchange_scenarios import by_test

TICKET = "/api/v1/tickets/{}"


async def lost(services: Services) -> restoring.Loss:
    """Say that the log was restored, and wait until the service knows."""
    with by_test():
        loss = await restoring.leave_out(services, await restoring.planned(services))
    async with asyncio.timeout(30):
        while True:
            if services.tags.tag(1) == f"1-{loss.position}":
                return loss
            await services.wakeup.wait(loss.position, 0.1)


async def test_a_version_of_before_a_loss_is_another_than_the_same_number_after_it(
    services, submitter, supporter
):
    number = await submitter.opened()
    comments = TICKET.format(number) + "/comments"
    read = await supporter.get(TICKET.format(number))
    assert read.headers["etag"] == '"1"'
    loss = await lost(services)

    for tag in ('"1"', f'"1-{loss.position - 1}"', '"2"'):
        stale = await supporter.post(comments, json={"text": "x"}, headers={"If-Match": tag})
        assert (stale.status_code, stale.json()["code"]) == (412, "stale-version"), tag
    stale = await supporter.post(comments, json={"text": "x"}, headers={"If-Match": '"1"'})
    assert "before the log was restored" in stale.json()["detail"]

    tag = (await supporter.get(TICKET.format(number))).headers["etag"]
    assert tag == f'"1-{loss.position}"'
    done = await supporter.post(comments, json={"text": "x"}, headers={"If-Match": tag})
    assert (done.status_code, done.headers["etag"]) == (200, f'"2-{loss.position}"')
    again = await lost(services)
    twice = await supporter.get(TICKET.format(number))
    assert twice.headers["etag"] == f'"2-{again.position}"'


async def test_a_repetition_of_before_a_loss_gets_its_first_answer(services, submitter, supporter):
    number = await submitter.opened()
    headers = {"If-Match": '"1"', "Idempotency-Key": "once"}
    comments = TICKET.format(number) + "/comments"
    first = await supporter.post(comments, json={"text": "x"}, headers=headers)
    loss = await lost(services)
    again = await supporter.post(comments, json={"text": "x"}, headers=headers)
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["etag"] == f'"2-{loss.position}"'


async def test_a_ticket_of_after_a_loss_has_plain_versions(services, submitter, supporter):
    await submitter.opened()
    await lost(services)
    number = await submitter.opened()
    comments = TICKET.format(number) + "/comments"
    done = await supporter.post(comments, json={"text": "x"}, headers={"If-Match": '"1"'})
    assert (done.status_code, done.headers["etag"]) == (200, '"2"')


async def test_what_is_no_ticket_bears_the_loss_too(services, sign_in):
    with by_test():
        helpdesk = Helpdesk(named_id(Helpdesk.KIND, "osg"))
        helpdesk.register("osg", "osg_mail")
        await services.ledger.save(helpdesk)
    admin = await sign_in("admin")
    where, body = "/api/v1/helpdesks/osg/interface", {"state": "paused", "reason": "They move."}
    loss = await lost(services)
    stale = await admin.post(where, json=body, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale-version")
    tag = f'"1-{loss.position}"'
    done = await admin.post(where, json=body, headers={"If-Match": tag})
    assert (done.status_code, done.headers["etag"]) == (200, f'"2-{loss.position}"'), done.text


async def test_a_page_that_was_open_while_the_log_was_restored_changes_nothing(
    services, submitter, supporter
):
    number = await submitter.opened()
    form = {"text": "What I read was lost.", "expected_version": "1"}
    loss = await lost(services)
    supporter.headers["Sec-Fetch-Site"] = "same-origin"
    stale = await supporter.post(f"/tickets/{number}/comment", data=form)
    assert stale.status_code == 412, stale.text
    page = (await supporter.get(f"/tickets/{number}")).text
    shown = f'name="expected_version" value="1-{loss.position}"'
    assert shown in page
    form["expected_version"] = f"1-{loss.position}"
    done = await supporter.post(f"/tickets/{number}/comment", data=form)
    assert done.status_code == 303, done.text
