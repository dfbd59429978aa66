"""Service levels over HTTP: statistics, their export, one ticket's clocks."""

import csv
import io

from tests.integration.conftest import Client, SignIn

LEVELS = "/api/v1/levels"


async def served(submitter: Client, supporter: Client, sign_in: SignIn) -> int:
    """A ticket that was solved; the position of its last event."""
    first_line = await sign_in("supporter:TPM")
    number = await submitter.opened()
    await first_line.do(number, "assign", unit="NGI_DE")
    answer = await supporter.do(number, "solve", solution="Done.")
    return int(answer.json()["position"])


async def test_statistics_see_what_was_just_done(
    submitter: Client, supporter: Client, sign_in: SignIn
):
    position = await served(submitter, supporter, sign_in)

    answer = await supporter.get(LEVELS, params={"by": "unit", "after": position})

    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert report["basis"]["as_of_position"] >= position
    assert [each["name"] for each in report["basis"]["calendars"]] == ["office"]
    total, by_unit = report["tables"]
    assert total["groups"][0]["figures"]["submitted"] == 1
    solved = {
        each["group"]["unit"]: each["figures"]["solution"]["count"] for each in by_unit["groups"]
    }
    assert solved["NGI_DE"] == 1


async def test_the_named_basis_gives_the_same_bytes_again(
    submitter: Client, supporter: Client, sign_in: SignIn
):
    position = await served(submitter, supporter, sign_in)
    first = await supporter.get(LEVELS, params={"by": ["unit", "month"], "after": position})

    await served(submitter, supporter, sign_in)
    again = await supporter.get(first.headers["content-location"])

    assert again.content == first.content
    assert again.headers["content-location"] == first.headers["content-location"]


async def test_csv_holds_one_line_a_group(submitter: Client, supporter: Client, sign_in: SignIn):
    position = await served(submitter, supporter, sign_in)
    answer = await supporter.get(LEVELS, params={"by": "unit", "format": "csv", "after": position})

    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["unit"] for row in rows if row["solution_count"] == "1"] == ["NGI_DE"]
    bare = await supporter.get(answer.headers["content-location"] + "&header=false")
    assert len(bare.text.splitlines()) == len(rows)


async def test_a_ticket_tells_its_clocks_to_those_who_may_read_it(
    submitter: Client, supporter: Client, sign_in: SignIn
):
    position = await served(submitter, supporter, sign_in)
    path = "/api/v1/tickets/1/levels"
    answer = await supporter.get(path, params={"after": position})
    assert answer.status_code == 200, answer.text
    assert [stay["unit"] for stay in answer.json()["verdict"]["stays"]][-1] == "NGI_DE"
    assert all(segment["why"] for segment in answer.json()["segments"])
    stranger = await sign_in()
    assert (await stranger.get(path)).status_code == 404
    assert (await supporter.get("/api/v1/tickets/99/levels")).status_code == 404


async def test_what_cannot_be_asked_is_refused_with_a_reason(supporter: Client, submitter: Client):
    refused = {
        "by=unit&by=unit": 422, "by=colour": 422, "by=unit&by=site&by=vo": 422,
        "begin=2026-01-01T00:00:00": 422, "begin=2026-02-01T00:00:00Z&end=2026-01-01T00:00:00Z": 422,
        "as_of=0001-01-01T00:00:00Z": 422, "end=9999-12-31T00:00:00Z": 422, "as_of=999999": 422,
        "policy=nobody": 422, "policy=ggus@9": 422, "calendar=moon@1": 422,
        "begin=2003-01-01T00:00:00Z&end=2004-01-01T00:00:00Z": 200, "position=99999": 503,
    }  # fmt: skip
    for query, status in refused.items():
        answer = await supporter.get(f"{LEVELS}?{query}")
        assert answer.status_code == status, (query, answer.text)
    assert (await submitter.get(LEVELS)).status_code == 403
