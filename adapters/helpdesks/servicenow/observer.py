"""Reads incidents as they are now, for comparing them with our tickets. One made twice is taken back."""

from collections.abc import Sequence

from adapters.helpdesks.servicenow.documents import event_id
from adapters.helpdesks.servicenow.doubles import Doubles, doubled
from adapters.helpdesks.servicenow.rows import Incident, JournalRow
from adapters.helpdesks.servicenow.session import PAGE, Session
from adapters.kit.documents import our_id
from adapters.kit.interface import Seen
from domain.words import Words

_PAGES_MAX = 20


class ServiceNowObserver:
    def __init__(self, session: Session, our_name: str, words: Words) -> None:
        self._session, self._our_name = session, our_name
        self._doubles = Doubles(session, words)

    async def look(self, external_ids: Sequence[str]) -> Sequence[Seen]:
        wanted = [each for each in external_ids if each.isascii() and each.isalnum()]
        if not wanted:
            return [Seen(external_id=each, gone=True) for each in external_ids]
        rows, _ = await self._session.incidents(f"sys_idIN{','.join(wanted)}")
        found = {row.sys_id: row for row in rows}
        ours = [row for row in rows if our_id(row.correlation_id)[0] == self._our_name]
        left = await self._doubles.beside(ours)
        entries, whole = await self._entries(list(found))
        return [
            self._seen(found[each], entries if whole else None, left.get(each, ()))
            if each in found
            else Seen(external_id=each, gone=True)
            for each in external_ids
        ]

    async def _entries(self, sys_ids: Sequence[str]) -> tuple[list[JournalRow], bool]:
        """Those of our account, and whether these are all."""
        if not sys_ids:
            return [], True
        query = (
            f"element_idIN{','.join(sys_ids)}^elementINcomments,work_notes"
            f"^sys_created_by={self._session.terms.account}^ORDERBYsys_id"
        )
        found: list[JournalRow] = []
        for page in range(_PAGES_MAX):
            rows, more = await self._session.journal(query, offset=page * PAGE)
            found += rows
            if not more:
                return found, True
        return found, False

    def _seen(
        self, row: Incident, entries: Sequence[JournalRow] | None, left: Sequence[str]
    ) -> Seen:
        installation, number = our_id(row.correlation_id)
        marks, twice = None, []
        if entries is not None:
            account = self._session.terms.account
            mine = [
                e for e in entries if e.element_id == row.sys_id and e.sys_created_by == account
            ]
            marks = frozenset(f"<{mark}>" for each in mine if (mark := event_id(each.value)))
            twice = doubled(mine)
        return Seen(
            external_id=row.sys_id,
            opened_at=row.made_at,
            number=number if installation == self._our_name else 0,
            state=row.word,
            priority=row.priority,
            unit=row.group,
            messages=marks,
            doubled=(*twice, *left),
        )
