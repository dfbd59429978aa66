"""Reading the incident log, and what its rows mean."""

import zipfile
from datetime import UTC, datetime

import pytest

from adapters.archives import incident_log, incident_rows
from domain.errors import Invalid
from domain.lifecycle import Status
from domain.vocabulary import TPM
from tests.incidents import FIRST, HEADER, at, incident, write


def read(file):
    return incident_rows.read(file, incident_log.STATUS)


def rows_of(tmp_path, *updates):
    return read(write(tmp_path / "log.csv", *incident("0000001", *updates))).rows


def snapshots(tmp_path, *updates):
    rows = rows_of(tmp_path, *updates)
    return [
        incident_log.snapshot(row, before) for row, before in zip(rows, [None, *rows], strict=False)
    ]


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("New", Status.NEW),
        ("Active", Status.IN_PROGRESS),
        ("Awaiting User Info", Status.WAITING_FOR_REPLY),
        ("Awaiting Vendor", Status.ON_HOLD),
        ("Awaiting Problem", Status.ON_HOLD),
        ("Awaiting Evidence", Status.ON_HOLD),
        ("Resolved", Status.SOLVED),
        ("Closed", Status.CLOSED),
        ("-100", None),
    ],
)
def test_every_state_has_a_meaning(tmp_path, word, status):
    (shown,) = snapshots(tmp_path, at(0, ident_state=word))

    assert shown.status is status
    assert shown.waits_for == (word if status is Status.ON_HOLD else "")


def test_a_row_names_unit_site_persons_and_kind_in_our_words(tmp_path):
    update = at(
        5, assignment_group="70", assigned_to="89", location="143", category="55", subcategory="170",
        priority="1", caller_id="2403",
    )  # fmt: skip
    (row,) = rows_of(tmp_path, update)
    shown = incident_log.snapshot(row, None)

    assert shown.unit == "group-70"
    assert shown.assignee == incident_log.person_id("resolver-89")
    assert incident_log.caller(row) == "caller-2403"
    assert shown.particulars == {
        "priority": "top priority",
        "issue_type": "category 55, subcategory 170",
        "affected_site": "location-143",
    }
    assert row.at == datetime(2020, 3, 2, 9, 5, tzinfo=UTC)


def test_a_question_mark_is_nothing(tmp_path):
    empty = dict.fromkeys(("caller_id", "location", "category", "priority"), "?")
    (row,) = rows_of(tmp_path, at(0, **empty))
    shown = incident_log.snapshot(row, None)

    assert (shown.unit, shown.assignee, incident_log.caller(row)) == (TPM, None, "")
    assert shown.particulars == {
        "priority": "less urgent", "issue_type": "Other", "affected_site": "",
    }  # fmt: skip


def test_days_come_first_and_an_opening_before_the_first_row_counts(tmp_path):
    (row,) = rows_of(tmp_path, {"opened_at": "1/12/2019 23:59", "sys_updated_at": "2/1/2020 00:01"})

    assert incident_log.opening_at(row) == datetime(2019, 12, 1, 23, 59, tzinfo=UTC)
    assert row.at == datetime(2020, 1, 2, 0, 1, tzinfo=UTC)


def test_an_opening_behind_the_first_row_is_a_mistake_of_the_log(tmp_path):
    (row,) = rows_of(tmp_path, at(0, opened_at="3/3/2020 00:00"))

    assert incident_log.opening_at(row) == row.at


@pytest.mark.parametrize(
    ("counts", "missing"), [((0, 1), 0), ((0, 2), 1), ((3, 9), 5), ((2, 2), 0), ((7, 1), 0)]
)
def test_a_jump_of_the_count_is_a_hole_and_a_step_back_is_not(tmp_path, counts, missing):
    shown = snapshots(tmp_path, *(at(0, sys_mod_count=str(count)) for count in counts))

    assert shown[1].missing_versions == missing


@pytest.mark.parametrize(("counts", "missing"), [((0, 1), 0), ((2, 3), 2), ((2,), 2), ((7, 1), 0)])
def test_a_first_row_with_a_count_has_a_hole_before_it_unless_the_count_is_wrong(
    tmp_path, counts, missing
):
    first, *more = rows_of(tmp_path, *(at(0, sys_mod_count=str(count)) for count in counts))

    assert incident_log.missing_at_first(first, more[0] if more else None) == missing


def test_changes_without_counterpart_are_named_and_final_columns_are_not_even_read(tmp_path):
    _, shown = snapshots(
        tmp_path, at(0), at(1, u_symptom="5", knowledge="true", made_sla="true", resolved_by="4")
    )

    assert shown.other_changes == ("knowledge", "u_symptom")


def test_nothing_of_the_end_of_the_story_is_in_a_row(tmp_path):
    (row,) = rows_of(tmp_path, at(0))

    assert "LEAK" not in repr(row)
    assert "2020, 9" not in repr(row)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("ident_state", "Sleeping", "unknown state 'Sleeping'"),
        ("sys_updated_at", "2020-03-02 09:00", "no time"),
        ("sys_updated_at", "31/2/2020 09:00", "day"),
        ("sys_updated_at", "2/3/0020 09:00", "no year"),
        ("sys_mod_count", "-1", "no count"),
        ("sys_mod_count", "²", "no count"),
        ("priority", "9", "unknown priority"),
        ("number", "../etc", "no incident number"),
        ("assignment_group", "a\x1b[31m", "no name"),
        ("location", "x" * 61, "no name"),
    ],
)
def test_an_unreadable_row_is_named_with_its_line_and_reason(tmp_path, field, value, reason):
    good = incident("0000001", at(0))
    bad = incident("0000002", at(0) | {field: value})
    found = read(write(tmp_path / "log.csv", *good, *bad))

    assert [row.incident for row in found.rows] == ["0000001"]
    assert found.skipped_count == 1
    assert found.skipped[0].line == 3
    assert reason in found.skipped[0].reason


def test_a_row_of_another_width_and_bytes_that_are_not_utf8_are_skipped(tmp_path):
    file = write(tmp_path / "log.csv", *incident("0000001", at(0)), ["0000002", "New"])
    odd = ",".join(incident("0000003", at(0, location="Z"))[0]).replace(",Z,", ",Z\xfc,")
    file.write_bytes(file.read_bytes() + odd.encode("latin-1") + b"\n")
    found = read(file)

    assert [(skipped.line, skipped.reason[:9]) for skipped in found.skipped] == [
        (3, "2 columns"),
        (4, "no name: "),
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"a,b,c\n1,2,3\n", "column 'number' is missing"),
        ((",".join(HEADER) + "\n").encode(), "no readable row"),
        (
            (",".join(name for name in HEADER if name != "ident_state") + "\n").encode(),
            "ident_state",
        ),
        (b"PK\x05\x06" + bytes(18), "0 csv files"),
    ],
)
def test_what_is_no_incident_log_is_refused(tmp_path, content, says):
    file = tmp_path / "log"
    file.write_bytes(content)

    with pytest.raises(Invalid, match=says):
        read(file)


def test_the_zip_is_read_like_the_csv_inside(tmp_path):
    plain = write(tmp_path / "log.csv", *incident("0000001", at(0), at(1)))
    with zipfile.ZipFile(tmp_path / "log.zip", "w") as archive:
        archive.write(plain, "log.csv")

    assert read(tmp_path / "log.zip").rows == read(plain).rows


def test_a_second_category_column_is_needed(tmp_path):
    header = list(HEADER)
    header[HEADER.index("category") + 1] = "subcategory"

    with pytest.raises(Invalid, match="'category'"):
        read(write(tmp_path / "log.csv", *incident("1", at(0)), header=tuple(header)))


def test_the_sample_rows_hold_every_column():
    assert set(HEADER) - {"number"} <= set(FIRST)
