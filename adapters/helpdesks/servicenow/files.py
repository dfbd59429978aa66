"""Files of incidents, in both directions. In ServiceNow a file and the text that names it are two calls.

So ours is looked for before it is sent: by its size, and then by its hash. Whoever may see an incident may see its
files, its caller too, so there are none for supporters only.
"""

from adapters.helpdesks.servicenow.documents import Entry, Ours
from adapters.helpdesks.servicenow.rows import AttachmentRow
from adapters.helpdesks.servicenow.session import PAGE, Session
from adapters.kit.attaching import Listed, OurFile, Uploads, copies, fetched
from adapters.kit.interface import Parcel

_PAGES_MAX = 20


class Files:
    """Every method raises ``Undelivered``."""

    def __init__(self, session: Session) -> None:
        self._session, self._uploads = session, Uploads()

    async def bring(self, parcel: Parcel, document: Ours, sys_id: str) -> str:
        """Attach the file of a message, unless it is there; what to add to its text."""

        async def attach(file: OurFile, body: bytes) -> None:
            account = self._session.terms.account
            rows, _ = await self._session.attachments(
                f"table_name=incident^table_sys_id={sys_id}^sys_created_by={account}"
                "^ORDERBYsys_created_on"
            )
            mine = [
                (each.sys_id, self._session.file(each))
                for each in rows
                if each.table_sys_id == sys_id and each.sys_created_by == account
            ]
            there = await copies(file, mine, self._session.downloads)
            self._session.downloads.used()
            if not there:
                await self._session.attach(sys_id, file.name, file.type, body)
            for again in there[1:]:  # an attempt that we gave up came late
                await self._session.remove_file(again)

        return await self._uploads.bring(parcel, document.file, document.event_id, attach)

    async def since(self, after: str) -> list[AttachmentRow]:
        """Files that were attached to incidents from then on, by others, the oldest first."""
        query = f"table_name=incident^sys_created_on>={after}^ORDERBYsys_created_on^ORDERBYsys_id"
        found: list[AttachmentRow] = []
        for page in range(_PAGES_MAX):  # the rest is found next time
            rows, more = await self._session.attachments(query, offset=page * PAGE)
            found += [row for row in rows if row.sys_created_on >= after]
            if not more:
                break
        return found

    async def entry(self, row: AttachmentRow) -> Entry:
        """What is told of a file: itself, or its name and why it stays there."""
        listed = Listed(name=row.file_name, type=row.content_type, wanted=self._session.file(row))
        attached, left = await fetched([listed], self._session.downloads)
        return Entry(id=row.sys_id, public=True, text="", attached=attached, files=left)
