"""Made-up incident logs for tests: a row is what differs from the row of the incident before it."""

from pathlib import Path

HEADER = (
    "number", "ident_state", "active", "reassignment_count", "reopen_count", "sys_mod_count", "made_sla",
    "caller_id", "opened_by", "opened_at", "sys_created_by", "sys_created_at", "sys_updated_by",
    "sys_updated_at", "contact_type", "location", "category", "category", "u_symptom", "cmdb_ci", "impact",
    "urgency", "priority", "assignment_group", "assigned_to", "knowledge", "u_priority_confirmation",
    "notify", "problem_id", "rfc", "vendor", "caused_by", "closed_code", "resolved_by", "resolved_at",
    "closed_at",
)  # fmt: skip

# The end of the story stands on every row, as in real logs: whoever reads it early gives it away.
FINAL = {
    "made_sla": "false", "problem_id": "P-LEAK", "rfc": "R-LEAK", "vendor": "V-LEAK", "caused_by": "C-LEAK",
    "closed_code": "LEAK", "resolved_by": "LEAK", "resolved_at": "9/9/2020 09:09", "closed_at": "10/9/2020 10:10",
}  # fmt: skip
FIRST = FINAL | {
    "ident_state": "New", "active": "true", "reassignment_count": "0", "reopen_count": "0",
    "sys_mod_count": "0", "caller_id": "7", "opened_by": "1", "opened_at": "2/3/2020 08:50",
    "sys_created_by": "?", "sys_created_at": "?", "sys_updated_by": "3", "sys_updated_at": "2/3/2020 09:00",
    "contact_type": "Phone", "location": "12", "category": "20", "subcategory": "?", "u_symptom": "?",
    "cmdb_ci": "?", "impact": "2", "urgency": "2", "priority": "3", "assignment_group": "?",
    "assigned_to": "?", "knowledge": "false", "u_priority_confirmation": "false", "notify": "?",
}  # fmt: skip


def incident(number: str, *updates: dict[str, str]) -> list[list[str]]:
    """Rows of one incident; the first begins with ``FIRST``, and ``sys_mod_count`` counts by itself."""
    rows, present = [], FIRST | {"number": number}
    for count, update in enumerate(updates):
        if count:
            present["sys_mod_count"] = str(int(present["sys_mod_count"]) + 1)
        present |= update
        cells, seen = [], set()
        for name in HEADER:
            cells.append(present["subcategory" if name in seen else name])
            seen.add(name)
        rows.append(cells)
    return rows


def write(file: Path, *rows: list[str], header: tuple[str, ...] = HEADER) -> Path:
    file.write_text("".join(",".join(cells) + "\n" for cells in (header, *rows)))
    return file


def at(minute: int, **values: str) -> dict[str, str]:
    """An update so many minutes after 2 March 2020, 09:00."""
    return {"sys_updated_at": f"2/3/2020 {9 + minute // 60}:{minute % 60:02}"} | values
