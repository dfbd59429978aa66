"""Files of issues, in both directions. In Jira a file and the comment that names it are two calls.

So ours is looked for before it is sent: by its size, and then by its hash. Theirs is for all to see where somebody
showed it to all: the reporter brought it, or the description or a public comment has it in its text.
"""

from collections.abc import Sequence

from msgspec import structs

from adapters.helpdesks.jira.documents import Ours, Theirs
from adapters.helpdesks.jira.rich_text import named_files
from adapters.helpdesks.jira.rows import AttachmentRow, CommentRow, IssueRow
from adapters.helpdesks.jira.session import Session
from adapters.kit.attaching import Listed, OurFile, Uploads, copies, fetched
from adapters.kit.interface import Parcel


class Files:
    """Every method raises ``Undelivered``."""

    def __init__(self, session: Session) -> None:
        self._session, self._uploads = session, Uploads()

    async def bring(self, parcel: Parcel, document: Ours, issue: IssueRow) -> str:
        """Attach the file of a message, unless it is there; what to add to its text."""

        async def attach(file: OurFile, body: bytes) -> None:
            account = await self._session.account()
            mine = [
                (each.id, self._session.file(each))
                for each in issue.fields.attachment
                if each.author is not None and each.author.account_id == account
            ]
            there = await copies(file, mine, self._session.downloads)
            self._session.downloads.used()
            if not there:
                await self._session.attach(issue.id, file.name, file.type, body)
            for again in there[1:]:  # an attempt that we gave up came late
                await self._session.remove_file(again)

        return await self._uploads.bring(parcel, document.file, document.mark.event_id, attach)

    async def of(self, document: Theirs, row: AttachmentRow) -> Theirs:
        """With the file, or its name and why it stays there."""
        listed = Listed(name=row.filename, type=row.mime_type, wanted=self._session.file(row))
        attached, left = await fetched([listed], self._session.downloads)
        return structs.replace(document, attached=attached, files=left)


def shown(issue: IssueRow, comments: Sequence[CommentRow]) -> set[str]:
    """Names of the files that public texts have in them. ``comments``: the public ones."""
    names = named_files(issue.fields.description)
    for each in comments:
        names |= named_files(each.body)
    return names
