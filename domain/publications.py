"""Published calendars and service policies: what verdicts depend on, versioned by events.

A version never changes: another table, another holiday, is another version. A verdict names the versions
that it was made with, so that the same question gets the same answer for ever. Where nothing was published
the defaults below are in force: the agreement of the grid, Monday to Friday from nine to five in UTC.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.aggregate import Aggregate, Event, mutates
from domain.calendars import Calendar
from domain.errors import EntryNotFound, Invalid, NothingToDo
from domain.identifiers import named_id
from domain.service_levels import ServiceLevels
from domain.service_policy import DEFAULT_CALENDAR, ServicePolicy, ggus_policy
from domain.store import EventStore
from domain.texts import must_be_name

BUILT_IN: Final = "built-in"
"""The version of what is in force where nothing was published."""
DEFAULT_POLICY: Final = ggus_policy(BUILT_IN)
DEFAULT_OFFICE: Final = Calendar(name=DEFAULT_CALENDAR, version=BUILT_IN)

_canonical: Final = msgspec.json.Encoder(order="sorted").encode


class Published(Event, frozen=True, kw_only=True, gc=False):
    """What both kinds of publications say."""

    name: str
    version: str
    data: dict[str, Any]
    """Strings, whole numbers, lists and objects only: ``to_plain`` of what was published."""
    fingerprint: str
    """SHA-256. Of a calendar: of its working periods, by the rules of time zones installed then."""


class Versions(Aggregate):
    """All versions of one calendar or of one policy."""

    def __init__(self, originator_id: UUID) -> None:
        super().__init__(originator_id)
        self.versions: Mapping[str, Mapping[str, Any]] = {}

    def _publish(
        self, kind: type[Published], what: Calendar | ServicePolicy, fingerprint: str
    ) -> None:
        name, version = what.name, what.version
        data = msgspec.json.decode(_canonical(what.to_plain()))  # as it will be read again
        must_be_name("name", name)
        must_be_name("version", version)
        if "@" in name + version or version == BUILT_IN:
            raise Invalid(f"{name} {version}: a name has no @, and {BUILT_IN!r} is our own version")
        known = self.versions.get(version)
        if known == data:
            raise NothingToDo(f"{name} {version} is published")
        if known is not None:
            raise Invalid(
                f"{name} {version} was published with other content: give it a new version"
            )
        self.trigger(kind, name=name, version=version, data=data, fingerprint=fingerprint)

    def _published(self, event: Published) -> None:
        self.versions = {**self.versions, event.version: event.data}


class CalendarVersions(Versions):
    KIND: Final = "calendar"

    class CalendarPublished(
        Published, tag="calendar.published", frozen=True, kw_only=True, gc=False
    ):
        """This is working time from now on, wherever a policy names the calendar."""

    def publish(self, calendar: Calendar) -> None:
        """Raises ``NothingToDo`` for what is published, ``Invalid`` for other content under its version."""
        self._publish(CalendarVersions.CalendarPublished, calendar, calendar.fingerprint)

    @mutates(CalendarPublished)
    def _calendar_published(self, event: CalendarPublished) -> None:
        self._published(event)


class PolicyVersions(Versions):
    KIND: Final = "policy"

    class PolicyPublished(Published, tag="policy.published", frozen=True, kw_only=True, gc=False):
        """This is the agreement from now on."""

    def publish(self, policy: ServicePolicy) -> None:
        """Like ``CalendarVersions.publish``."""
        self._publish(PolicyVersions.PolicyPublished, policy, fingerprint(policy))

    @mutates(PolicyPublished)
    def _policy_published(self, event: PolicyPublished) -> None:
        self._published(event)


class Source(Struct, frozen=True):
    """What a verdict rests on, named so that anyone can tell whether it is the same."""

    name: str
    version: str
    fingerprint: str
    as_published: bool = True
    """False where a calendar was published by other rules of time zones than are installed now."""


class InForce(Struct, frozen=True):
    """A policy with its calendars, ready to judge, and what to call them."""

    levels: ServiceLevels
    policy: Source
    calendars: tuple[Source, ...]
    """In order of name."""


def fingerprint(policy: ServicePolicy) -> str:
    """SHA-256 of the policy as JSON with sorted keys."""
    return hashlib.sha256(_canonical(policy.to_plain())).hexdigest()


async def decide(
    store: EventStore, publications: Iterable[Calendar | ServicePolicy]
) -> list[Versions]:
    """What to store so that these are published; what is published already is left out.

    Needs an ``acting`` block. Raises ``Invalid``.
    """
    decided: dict[UUID, Versions] = {}
    for each in publications:
        kind = CalendarVersions if isinstance(each, Calendar) else PolicyVersions
        stream = named_id(kind.KIND, each.name)
        versions: Any = decided.get(stream)
        if versions is None:
            versions = kind.replay(stream, [row.event for row in await store.stream(stream)])
        try:
            versions.publish(each)
        except NothingToDo:
            continue
        decided[stream] = versions
    return list(decided.values())


async def in_force(
    store: EventStore,
    *,
    as_of: datetime | None = None,
    position: int | None = None,
    policy: str = DEFAULT_POLICY.name,
    calendars: Iterable[str] = (),
) -> InForce:
    """The policy and its calendars as of an instant and a position: those published last by then.

    ``policy`` and ``calendars`` may name a version (``ggus@2``), which then counts whenever it was published:
    so a history can be judged by an agreement that came later. Raises ``EntryNotFound``.
    """
    name, _, version = policy.partition("@")
    found = await _version(store, PolicyVersions.KIND, name, version, as_of, position)
    if found is not None:
        agreed = _policy(_canonical(found.data))
    elif name == DEFAULT_POLICY.name and version in ("", BUILT_IN):
        agreed = DEFAULT_POLICY
    else:
        raise EntryNotFound("policy", policy)
    pinned: dict[str, str] = {}
    for each in calendars:
        calendar_name, _, wanted = each.partition("@")
        pinned[calendar_name] = wanted
    if unused := pinned.keys() - agreed.calendars():
        raise Invalid(
            f"policy {agreed.name} {agreed.version} does not use {', '.join(sorted(unused))}",
            possible=sorted(agreed.calendars()),
        )
    used: dict[str, Calendar] = {}
    sources: list[Source] = []
    for each in sorted(agreed.calendars()):
        version = pinned.get(each, "")
        found = await _version(store, CalendarVersions.KIND, each, version, as_of, position)
        if found is not None:
            calendar = _calendar(_canonical(found.data))
        elif each == DEFAULT_OFFICE.name and version in ("", BUILT_IN):
            calendar = DEFAULT_OFFICE
        else:
            raise EntryNotFound("calendar", f"{each}@{version}" if version else each)
        used[each] = calendar
        as_published = found is None or found.fingerprint == calendar.fingerprint
        sources.append(Source(each, calendar.version, calendar.fingerprint, as_published))
    return InForce(
        ServiceLevels(agreed, used),
        Source(agreed.name, agreed.version, fingerprint(agreed)),
        tuple(sources),
    )


async def _version(
    store: EventStore,
    kind: str,
    name: str,
    version: str,
    as_of: datetime | None,
    position: int | None,
) -> Published | None:
    """The publication that is meant by a name and perhaps a version; None when there is none."""
    chosen: Published | None = None
    for recorded in await store.stream(named_id(kind, name), until_position=position):
        event = recorded.event
        assert isinstance(event, Published)
        if version:
            if event.version == version:
                return event
        elif as_of is not None and event.occurred_at > as_of:
            break
        else:
            chosen = event
    return chosen


# Summing up the working time of a calendar takes a moment: once a version is enough.


@lru_cache(maxsize=200)
def _calendar(data: bytes) -> Calendar:
    return Calendar.from_plain(msgspec.json.decode(data))


@lru_cache(maxsize=50)
def _policy(data: bytes) -> ServicePolicy:
    return ServicePolicy.from_plain(msgspec.json.decode(data))
