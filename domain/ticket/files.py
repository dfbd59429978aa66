"""Files of the ticket."""

from domain.aggregate import Event, mutates
from domain.content import Sealed, SealedFile, sha256_of
from domain.errors import Invalid, NothingToDo, TooLarge
from domain.texts import must_be_file_name, must_be_media_type
from domain.ticket.state import Attachment, TicketState
from domain.vocabulary import FILE_BYTES_MAX, FILES_MAX, Visibility


class Files(TicketState):
    class Attached(Event, tag="ticket.attached", frozen=True, kw_only=True, gc=False):
        """A file belongs to the ticket from now on. It never changes; another version is another file."""

        file: SealedFile
        name: Sealed
        visibility: str

    def attach(self, name: str, media_type: str, body: bytes, visibility: Visibility) -> None:
        """Add a file. A copy of one that its readers can read already is refused."""
        self._must_not_be_final()
        must_be_file_name(name)
        must_be_media_type(media_type)
        if not body:
            raise Invalid("the file is empty")
        if len(body) > FILE_BYTES_MAX:
            raise TooLarge(f"a file of {len(body)} bytes, at most {FILE_BYTES_MAX} are taken")
        if len(self.files) >= FILES_MAX:
            raise TooLarge(f"the ticket has {FILES_MAX} files, and takes no more")
        if self.has_file(sha256_of(body), visibility):
            raise NothingToDo("the ticket has this file already")
        self.trigger(
            Files.Attached,
            file=self.seal_file(body, media_type),
            name=self.seal(name),
            visibility=visibility.value,
        )

    def has_file(self, sha256: str, visibility: Visibility = Visibility.PUBLIC) -> bool:
        """Whether those who may read this visibility can read such a file already."""
        readable = {Visibility.PUBLIC.value, visibility.value}
        return any(
            each.file.sha256 == sha256 and each.visibility in readable for each in self.files
        )

    @mutates(Attached)
    def _attached(self, event: Attached) -> None:
        version = event.originator_version
        added = Attachment(version, self.at, event.file, event.name, event.visibility)
        self.files = (*self.files, added)
