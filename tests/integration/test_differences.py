"""What became different between two moments, by API and by those who may read it."""

from typing import TYPE_CHECKING, Any

from tests.integration.conftest import Client, SignIn

if TYPE_CHECKING:
    from api.bootstrap import Services

V1 = "/api/v1"


async def position(done: Any) -> int:
    assert done.status_code in (200, 201), done.text
    return int(done.json()["position"])


async def test_two_moments_of_a_ticket_differ_field_by_field(
    submitter: Client, supporter: Client, sign_in: SignIn
):
    # given
    opened = await submitter.post(f"{V1}/tickets", json={"subject": "no space", "unit": "NGI_DE"})
    number, began = opened.json()["number"], await position(opened)
    taken = await position(await supporter.do(number, "take"))
    await supporter.do(number, "comments", text="inside", visibility="internal")
    await supporter.do(number, "solve", solution="a new disk")
    path = f"{V1}/tickets/{number}/changes"

    async def changed(since: int | str, **until: int | str) -> dict[str, tuple[Any, Any]]:
        answer = await submitter.get(path, params={"since": since, **until})
        assert answer.status_code == 200, answer.text
        return {each["field"]: (each["before"], each["after"]) for each in answer.json()["changes"]}

    # then
    first = await changed(began, until=taken)
    assert set(first) == {"assignee"}
    assert first["assignee"][0] is None
    later = await changed(taken)
    assert later["solution"] == (None, "a new disk")
    assert later["status"] == ("assigned", "solved")
    assert "status_since" in later
    assert (await changed("1999-01-01T00:00:00Z"))["subject"] == (None, "no space")
    whole = (await submitter.get(path, params={"since": "1999-01-01T00:00:00Z"})).json()
    assert whole["since"] is None
    assert await changed(taken, until=taken) == {}

    wrong = await submitter.get(path, params={"since": taken, "until": began})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid")
    assert (await submitter.get(path)).status_code == 422
    curious = await sign_in()
    assert (await curious.get(path, params={"since": began})).status_code == 404
    early = await submitter.get(path, params={"since": 0, "until": 1})
    assert early.status_code == 404, "it did not exist then"


async def test_two_moments_of_a_queue_differ_by_what_came_went_and_changed(
    services: "Services", submitter: Client, supporter: Client
):
    # given
    about = {"subject": "x", "unit": "NGI_DE"}
    one, two = [
        (await submitter.post(f"{V1}/tickets", json=about)).json()["number"] for _ in range(2)
    ]
    before = await services.store.head()
    await supporter.do(one, "solve", solution="done")
    await supporter.do(two, "start-work")
    three = await submitter.post(f"{V1}/tickets", json=about)

    # when
    asked = {"unit": "NGI_DE", "since": before, "after": await position(three)}
    answer = await supporter.get(f"{V1}/queue/changes", params=asked)

    # then
    found = answer.json()
    assert [row["number"] for row in found["came"]] == [three.json()["number"]]
    assert [row["number"] for row in found["went"]] == [one]
    [changed] = found["changed"]
    assert changed["before"]["number"] == two
    assert [changed[when]["status"] for when in ("before", "after")] == ["assigned", "in progress"]
    assert (await submitter.get(f"{V1}/queue/changes", params=asked)).status_code == 403
