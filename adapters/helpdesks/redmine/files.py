"""Files of issues: those that a change brought, and ours, which are put up first and then go with a text.

In Redmine a file belongs to its issue and is seen by all who see that, whatever was written with it: so what came
with a private note is internal here, and nothing internal of ours is sent. A file that was put up can be
taken along by one change only, and what none takes is thrown away there after a day.
"""

from msgspec import Struct, structs

from adapters.helpdesks.redmine.documents import Ours, Theirs, write
from adapters.helpdesks.redmine.rows import Attachment, Issue, Journal
from adapters.helpdesks.redmine.session import Session
from adapters.kit.attaching import Listed, OurFile, Uploads, fetched
from adapters.kit.downloads import Wanted
from adapters.kit.interface import Parcel
from adapters.kit.text import line

_PUT_UP_MAX = 100
"""Remembered for attempts that failed afterwards."""


class Brought(Struct, frozen=True, kw_only=True):
    uploads: list[dict[str, str]]
    """What a change takes along."""
    more: str
    """To add to its text."""
    again: bool
    """It was put up for an earlier attempt, which may have had its effect meanwhile."""


class Files:
    """Every method raises ``Undelivered``."""

    def __init__(self, session: Session) -> None:
        self._session, self._uploads = session, Uploads()
        self._tokens: dict[str, str] = {}

    async def bring(self, parcel: Parcel, document: Ours) -> Brought:
        """Put the file of a message up, where it has one."""
        name = document.event_id
        again = name in self._tokens

        async def put_up(file: OurFile, body: bytes) -> None:
            if not again:
                self._tokens[name] = await self._session.put_up(file.name, body, file.sha256)

        more = await self._uploads.bring(parcel, document.file, name, put_up)
        while len(self._tokens) > _PUT_UP_MAX:
            del self._tokens[next(iter(self._tokens))]
        if more or document.file is None:
            return Brought(uploads=[], more=more, again=False)
        file = document.file
        upload = {"token": self._tokens[name], "filename": file.name, "content_type": file.type}
        return Brought(uploads=[upload], more="", again=again)

    def forget(self, document: Ours) -> None:
        """It was taken along, or is no more."""
        self._tokens.pop(document.event_id, None)

    async def of(self, theirs: Theirs, issue: Issue, *, opening: bool) -> Theirs:
        """With the files that the change brought; those that stay there are named with the reasons."""
        change = theirs.change
        journal = next((each for each in issue.journals if each.id == change.id), None)
        rows = _with_the_issue(issue) if opening or journal is None else []
        gone: list[str] = []
        if journal is not None:
            there = {each.id: each for each in issue.attachments}
            for number, name in journal.attached.items():
                if number in there:
                    rows.append(there[number])
                else:
                    gone.append(f"{line(name, 200)} (it was withdrawn)")
        attached, left = await fetched(
            [_listed(each) for each in rows], self._session.downloads, beside=len(write(theirs))
        )
        internal = journal is not None and private_text_of(journal, issue) is not None
        return structs.replace(
            theirs,
            change=structs.replace(
                change, attached=attached, files=[*left, *gone], files_internal=internal
            ),
        )


def private_text_of(journal: Journal, issue: Issue) -> Journal | None:
    """The private text that was written with a change: Redmine makes it an entry of its own, the next one."""
    mine = sorted((e for e in issue.journals if e.user.id == journal.user.id), key=lambda e: e.id)
    following = next((each for each in mine if each.id > journal.id), None)
    if journal.notes or following is None or following.details:
        return None
    same = following.created_on == journal.created_on
    return following if same and following.private_notes and following.notes else None


def _with_the_issue(issue: Issue) -> list[Attachment]:
    """Those that it was made with: no entry of its history brought them."""
    later = {number for journal in issue.journals for number in journal.attached}
    return [each for each in issue.attachments if each.id not in later]


def _listed(row: Attachment) -> Listed:
    wanted = Wanted(path=f"/attachments/download/{row.id}", size=row.filesize)
    return Listed(name=row.filename, type=row.content_type or "", wanted=wanted)
