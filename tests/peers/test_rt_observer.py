"""What is seen of Request Tracker's tickets when they are compared with ours: on the real server."""

import pytest

from adapters.helpdesks.rt import observer
from adapters.helpdesks.rt.courier import RtCourier
from adapters.helpdesks.rt.observer import RtObserver
from adapters.kit.interface import Parcel
from tests.peers.rt_scenarios import Desk, message, opening, session_of


@pytest.fixture
async def session(request_tracker):
    session = session_of(request_tracker)
    yield session
    await session.close()


async def opened(session, number: int) -> str:
    return (await RtCourier(session, settle_s=0).deliver(opening(number))).external_id


async def seen(session, number: int, *external_ids: str):
    return await RtObserver(session, f"T{number}").look(external_ids)


async def test_state_priority_queue_number_and_our_messages_are_seen(session, supporter: Desk):
    theirs = await opened(session, 7001)
    note: Parcel = message(7001, "note-7001", external_id=theirs)
    await RtCourier(session, settle_s=0).deliver(note)
    await supporter.reply(theirs, "Not one of ours.")
    await supporter.change(theirs, Status="stalled", Priority="40")
    [found] = await seen(session, 7001, theirs)
    assert (found.external_id, found.number, found.gone, found.moved_to) == (
        theirs,
        7001,
        False,
        "",
    )
    assert (found.state, found.priority, found.unit) == ("stalled", "40", "ROC_DE")
    assert found.messages == {"<note-7001@hub.test>"}
    [foreign] = await seen(session, 9, theirs)
    assert foreign.number == 0, "the number is another installation's"


async def test_deleted_merged_and_unknown_tickets_are_told_apart(
    session, supporter: Desk, bridge: Desk
):
    gone, left, heir = [await opened(session, number) for number in (7002, 7003, 7004)]
    await bridge.change(gone, Status="deleted")
    await bridge.change(left, MergeInto=heir)
    found = await seen(session, 7004, gone, left, heir, "999999")
    assert [each.external_id for each in found] == [gone, left, heir, "999999"]
    assert [each.gone for each in found] == [True, False, False, True]
    assert [each.moved_to for each in found] == ["", heir, "", ""]
    assert found[2].number == 7004


async def test_of_tickets_with_too_many_messages_it_is_not_told_which(session, monkeypatch):
    theirs = await opened(session, 7005)
    for n in range(2):
        await RtCourier(session, settle_s=0).deliver(message(7005, f"n{n}", external_id=theirs))
    monkeypatch.setattr(observer, "_PAGES_MAX", 1)
    monkeypatch.setattr(observer, "PAGE", 2)
    [found] = await seen(session, 7005, theirs)
    assert found.messages is None
    assert await seen(session, 7005) == []
