"""What the fields of a message ask of us. Only what really changed has an effect."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from adapters.kit import words as kit
from adapters.kit.contract import Asked, Before, Held, Ignored, Reading, Unreadable
from adapters.kit.ghd import words
from adapters.kit.states import action, begins_anew, stage
from adapters.kit.text import cut, line
from domain import commands as c
from domain.lifecycle import FINAL, OPEN, Action, Status
from domain.ticket import Particulars, Ticket
from domain.vocabulary import (
    DEFAULTS,
    NAME_CHARACTERS_MAX,
    SUBJECT_CHARACTERS_MAX,
    TEXT_CHARACTERS_MAX,
    Priority,
    Visibility,
)
from domain.words import Words

Fields = Mapping[str, str]
_WHERE: Final = "it stands in the partner's message, which is kept"
_INTERNAL: Final = ("GHD_Internal_Diary", "GHD_Diary_Of_Steps")


def commands_for_unknown(fields: Fields, tables: Words) -> Asked | Ignored:
    """Open a ticket. Raises ``Unreadable``."""
    said = words.state(tables, fields.get("GHD_Status", ""))
    if said is not None and said not in OPEN:
        return Ignored("over-before-known")
    description = fields.get("GHD_Description", "")
    subject = line(fields.get("GHD_Short_Description", "") or description, 10_000)
    if not subject:
        raise Unreadable("the ticket has neither a subject nor a description")
    withheld = []
    if said not in (None, Status.NEW, Status.ASSIGNED):
        assert said is not None
        withheld.append(f"{said.value}:created-as-new")
    issue_type = fields.get("GHD_Type_Of_Problem", "")
    if issue_type and not words.issue_type(issue_type):
        withheld.append("issue_type:unknown-value")
    vo = words.vo(line(fields.get("GHD_Experiment", ""), NAME_CHARACTERS_MAX))
    opening = c.OpenTicket(
        subject=cut(subject, SUBJECT_CHARACTERS_MAX).replace("\n", " "),
        description=_fitting(description),
        particulars=Particulars(
            priority=words.priority(tables, fields.get("GHD_Priority", ""))
            or Priority.LESS_URGENT.value,
            issue_type=words.issue_type(issue_type) or DEFAULTS.issue_types[0],
            vo=vo,
            vo_specific=bool(vo)
            and fields.get("GHD_Experiment_Specific_Problem", "").lower() in ("yes", "1", "true"),
            affected_site=line(fields.get("GHD_Affected_Site", ""), NAME_CHARACTERS_MAX),
        ),
        problem_at=words.problem_at(fields.get("GHD_Date_Time_Of_Problem", "")),
        unit=kit.unit(tables, line(fields.get("GHD_Responsible_Unit", ""), NAME_CHARACTERS_MAX)),
    )
    news = _Changes(fields, Before(), tables)
    return Asked([opening, *news.entries(0, public=news.diary)], withheld)


def commands_for_known(
    fields: Fields,
    ticket: Ticket,
    before: Before,
    tables: Words,
    *,
    knows_all: bool = False,
    moved: bool = False,
) -> Asked | Ignored:
    """Change our ticket as far as the document differs from what was said before. Raises ``Unreadable``.

    ``knows_all``: as in ``states.action``. ``moved``: the sender says that the state is what changed.
    """
    changes = _Changes(fields, before, tables, only_news=knows_all)
    said = words.state(tables, fields.get("GHD_Status", ""))
    step, public, withheld = None, changes.diary, []
    if said is not None:
        text = changes.text_of(said)
        step = action(
            said,
            ticket.status if moved else changes.state_before(),
            ticket.status,
            with_news=bool(text),
            knows_all=knows_all,
        )
        if moved and step is None and stage(said) == stage(ticket.status):
            pass
        elif step is None and said is not ticket.status and changes.has("GHD_Status"):
            withheld.append(f"{said.value}:no-regress")
    commands: list[c.Command] = [*changes.reclassifications(ticket)]
    anew = moved and begins_anew(said, ticket.status)
    if (unit := changes.unit(ticket, anew=anew)) and ticket.status in OPEN:
        commands.append(c.Assign(number=ticket.number, unit=unit, anew=anew))
    last = None
    if step is not None:
        last, public = changes.step(step, ticket.number)
    elif (
        changes.solution and ticket.status not in FINAL
    ):  # of a ticket that is solved here too: another word about it
        public = f"{public}\n\n{changes.solution}".strip()
    commands += changes.entries(ticket.number, public=public)
    if last is not None:
        commands.append(last)
    if commands:
        return Asked(commands, withheld)
    return Ignored("no-regress" if withheld else "nothing-new")


def held(fields: Fields, tables: Words) -> Held | None:
    """What the sender says that holds. Raises ``Unreadable``."""
    status = words.state(tables, fields.get("GHD_Status", ""))
    if status is None:
        return None
    unit = line(fields.get("GHD_Responsible_Unit", ""), NAME_CHARACTERS_MAX)
    return Held(
        status=status,
        unit=kit.unit(tables, unit) if unit else "",
        priority=words.priority(tables, fields.get("GHD_Priority", "")),
    )


class _Changes:
    """The elements that are news: neither the partner's last message nor our last one had them so."""

    def __init__(
        self, fields: Fields, before: Before, tables: Words, *, only_news: bool = False
    ) -> None:
        """``only_news``: the document holds what changed, and nothing else."""
        self._fields, self._words, self._only_news = fields, tables, only_news
        self._heard, self._state_before = _fields_of(before.heard), before.state
        self._known = (self._heard, _fields_of(before.told))
        self.diary = self._new_part("GHD_Public_Diary")
        self.solution = self._solution()

    def has(self, name: str) -> bool:
        """Whether the element is there and says something new."""
        value = _flat(self._fields.get(name, ""))
        if self._only_news and name in _SHORT:
            return bool(value)
        return bool(value) and all(value != _flat(known.get(name, "")) for known in self._known)

    def state_before(self) -> Status | None:
        """What the partner said last, in whichever message that was."""
        return words.state(self._words, self._heard.get("GHD_Status", "") or self._state_before)

    def text_of(self, said: Status) -> str:
        """The new text that goes with a state."""
        if said in (Status.SOLVED, Status.UNSOLVED, Status.VERIFIED, Status.CLOSED):
            return self.solution
        return self.diary

    def unit(self, ticket: Ticket, *, anew: bool) -> str:
        """Where it goes; empty where it stays. ``anew``: also to the unit that has it."""
        said = line(self._fields.get("GHD_Responsible_Unit", ""), NAME_CHARACTERS_MAX)
        unit = kit.unit(self._words, said)
        goes = anew or unit != ticket.unit
        return unit if self.has("GHD_Responsible_Unit") and goes else ""

    def reclassifications(self, ticket: Ticket) -> list[c.Reclassify]:
        wanted = []
        for name, field in _RECLASSIFIED.items():
            if not self.has(name):
                continue
            word = line(self._fields[name], NAME_CHARACTERS_MAX)
            value = _VALUES[field](self._words, word) if field in _VALUES else word
            if value and value != ticket.particular(field):
                why = "As the partner set it." if field == "priority" else ""
                wanted.append(
                    c.Reclassify(number=ticket.number, field=field, value=value, justification=why)
                )
        return wanted

    def step(self, step: Action, number: int) -> tuple[c.Command, str]:
        """The command of a step, and what of the public diary it does not carry itself."""
        match step:
            case Action.SOLVE:
                text = self.solution or self.diary or self._over_without_words()
                rest = self.diary if self.solution else ""
                return c.Solve(number=number, solution=_fitting(text)), rest
            case Action.FIND_UNSOLVABLE:
                text = self.solution or self.diary
                rest = self.diary if self.solution else ""
                return c.FindUnsolvable(number=number, reason=_fitting(text)), rest
            case Action.REQUEST_REPLY:
                question = self.diary or "The partner waits for a reply and wrote no question."
                return c.RequestReply(number=number, question=_fitting(question)), ""
            case Action.PUT_ON_HOLD:
                reason = self.diary or "The partner put it on hold and gave no reason."
                return c.PutOnHold(number=number, reason=_fitting(reason)), ""
            case Action.REOPEN:
                comment = self.diary or "The partner reopened it and gave no reason."
                return c.Reopen(number=number, comment=_fitting(comment)), ""
            case _:
                assert step is Action.START_WORK
                return c.StartWork(number=number, note=_fitting(self.diary)), ""

    def _over_without_words(self) -> str:
        """To verify or to close needs no words: it was solved before. A solution does."""
        said = words.state(self._words, self._fields.get("GHD_Status", ""))
        over = said in (Status.VERIFIED, Status.CLOSED)
        return f"The partner's ticket is {said.value}." if over and said else ""

    def entries(self, number: int, *, public: str) -> list[c.Command]:
        """Diary entries: the partner's public one, and its internal ones for supporters' eyes only."""
        entries: list[c.Command] = []
        if public:
            entries.append(c.Comment(number=number, text=_fitting(public)))
        internal = [part for name in _INTERNAL if (part := self._new_part(name))]
        if self._heard and self.has("GHD_Description"):
            internal.append(
                f"The partner changed its description:\n{self._fields['GHD_Description']}"
            )
        entries += [
            c.Comment(number=number, text=_fitting(text), visibility=Visibility.INTERNAL)
            for text in internal
        ]
        return entries

    def _solution(self) -> str:
        short, long = "GHD_Short_Solution", "GHD_Detailed_Solution"
        if not (self.has(short) or self.has(long)):
            return ""
        first, rest = self._fields.get(short, ""), self._fields.get(long, "")
        return rest if _flat(rest).startswith(_flat(first)) else f"{first}\n\n{rest}".strip()

    def _new_part(self, name: str) -> str:
        """A diary without what it said before: partners send the whole of it, old entries first or last."""
        text = self._fields.get(name, "")
        if not text:
            return ""
        for known in self._known:
            old = known.get(name, "")
            if _flat(text) == _flat(old):
                return ""
            if old and text.startswith(f"{old}\n"):
                text = text[len(old) :].strip()
            elif old and text.endswith(f"\n{old}"):
                text = text[: -len(old)].strip()
        return text


def _fields_of(reading: Reading | None) -> Fields:
    return {} if reading is None else reading.body


def _flat(text: str) -> str:
    return " ".join(text.split()) if text else ""


def _fitting(text: str) -> str:
    return cut(text, TEXT_CHARACTERS_MAX, _WHERE)


_RECLASSIFIED: Final = MappingProxyType({
    "GHD_Priority": "priority",
    "GHD_Type_Of_Problem": "issue_type",
    "GHD_Experiment": "vo",
    "GHD_Affected_Site": "affected_site",
    "GHD_Ticket_Category": "category",
})  # fmt: skip
_SHORT: Final = frozenset({*_RECLASSIFIED, "GHD_Responsible_Unit", "GHD_Status"})
"""What may become again what it was before: of these only our ticket tells whether they are news."""
_VALUES: Final[Mapping[str, Callable[[Words, str], str]]] = MappingProxyType({
    "priority": words.priority, "category": words.category,
    "issue_type": lambda _, word: words.issue_type(word), "vo": lambda _, word: words.vo(word),
})  # fmt: skip
