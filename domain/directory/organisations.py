"""Virtual organisations: the communities whose members open tickets."""

from typing import Final
from uuid import UUID

from domain.aggregate import Event, mutates
from domain.directory.named import TITLE_CHARACTERS_MAX, Named
from domain.errors import NothingToDo
from domain.texts import must_be_line


class VirtualOrganisation(Named):
    KIND: Final = "vo"

    def __init__(self, originator_id: UUID) -> None:
        super().__init__(originator_id)
        self.title = ""
        self.team = self.alarms = False

    class Registered(Event, tag="vo.registered", frozen=True, kw_only=True, gc=False):
        """The VO exists from now on."""

        name: str
        title: str = ""
        team: bool = False
        """Whether it may have TEAM tickets."""
        alarms: bool = False

    def register(
        self, name: str, title: str = "", *, team: bool = False, alarms: bool = False
    ) -> None:
        if self.version and not self.retired:
            raise NothingToDo(f"VO {name} is registered")
        must_be_line("title", title, TITLE_CHARACTERS_MAX)
        self.trigger(
            VirtualOrganisation.Registered,
            name=self._name(name),
            title=title,
            team=team,
            alarms=alarms,
        )

    @mutates(Registered)
    def _registered(self, event: Registered) -> None:
        self.name, self.title, self.team, self.alarms = (
            event.name,
            event.title,
            event.team,
            event.alarms,
        )
        self.retired = False

    class Retired(Event, tag="vo.retired", frozen=True, kw_only=True, gc=False):
        """The VO has ended."""

    def retire(self) -> None:
        self._must_exist()
        self.trigger(VirtualOrganisation.Retired)

    @mutates(Retired)
    def _retired(self, _: Retired) -> None:
        self.retired = True
