"""The rights table: who may do what, and what nobody may."""

import itertools
from uuid import uuid4

import pytest

from domain import commands as c
from domain.decisions import DECISIONS, OPENING, must_belong, must_name, must_open
from domain.directory import GRANTABLE, Grant, Person, SupportUnit, UnitKind, VirtualOrganisation
from domain.errors import EntryNotFound, Forbidden, Invalid, NothingToDo, UnknownValue
from domain.identifiers import random_id
from domain.lifecycle import Action
from domain.rights import PERMITTED, Actor, Right, Role, permitted, require
from domain.ticket import Particulars
from domain.vocabulary import DEFAULTS, TPM
from tests.tickets import as_actor, opened, person

EVERYTHING = [*Action, *Right]

# role: everything it permits, written down a second time
TRUTH = {
    Role.USER: "open read-directory",
    Role.SUBMITTER: "record-reply verify reopen read comment",
    Role.TEAM: "record-reply verify reopen read comment open-team",
    Role.TEAM_AT_ALARM: "record-reply reopen read comment",
    Role.ALARMER: "record-reply verify reopen read comment open-team open-alarm",
    Role.SUPPORTER: (
        "assign start-work request-reply put-on-hold solve find-unsolvable reopen open-operations open-at-any-unit "
        "open-for-another "
        "read read-internal comment comment-internal take reclassify send read-statistics"
    ),
    Role.HELPDESK: (
        "assign start-work request-reply record-reply put-on-hold solve find-unsolvable reopen open open-operations "
        "open-at-any-unit open-for-another read comment comment-internal reclassify"
    ),
    Role.AUDITOR: "read read-internal read-statistics read-directory audit",
    Role.ADMIN: (
        "assign start-work request-reply put-on-hold solve find-unsolvable reopen close open open-operations "
        "open-at-any-unit open-for-another read read-internal comment comment-internal take reclassify send read-statistics "
        "read-directory audit administer"
    ),
    Role.RULE: (
        "assign start-work request-reply record-reply put-on-hold solve find-unsolvable verify reopen close open "
        "open-operations open-at-any-unit open-for-another read read-internal comment comment-internal take reclassify "
        "send read-directory administer"
    ),
}  # fmt: skip
TRUTH[Role.UNIT] = TRUTH[Role.TPM] = TRUTH[Role.SUPPORTER]


GRANTS = {
    Role.TEAM: Grant("teamer", "atlas"),
    Role.TEAM_AT_ALARM: Grant("teamer", "atlas"),
    Role.ALARMER: Grant("alarmer", "atlas"),
    Role.SUPPORTER: Grant("supporter", "NGI_IT"),
    Role.UNIT: Grant("supporter", "NGI_DE"),
    Role.TPM: Grant("tpm"),
    Role.HELPDESK: Grant("helpdesk", "osg"),
    Role.AUDITOR: Grant("auditor"),
    Role.ADMIN: Grant("admin"),
    Role.RULE: Grant("rule"),
}


def holder(role: Role):
    """An actor who has this role, and no more than comes with it, and a ticket towards which he has it."""
    somebody = person()
    submitter = somebody.person if role is Role.SUBMITTER else None
    type_ = "ALARM" if role is Role.TEAM_AT_ALARM else "TEAM"
    ticket = opened(submitter=submitter, particulars=Particulars(type=type_, vo="atlas"))
    with as_actor():
        ticket.assign("NGI_DE")
    if role in GRANTS:
        return Actor("token:t", None, frozenset({GRANTS[role]})), ticket
    return somebody, ticket


def test_the_table_is_complete():
    assert set(PERMITTED) == set(EVERYTHING)
    assert set(TRUTH) == set(Role)
    assert set(GRANTABLE) == {"supporter", "tpm", "teamer", "alarmer", "auditor", "admin"}
    assert all(PERMITTED.values()), "a right that nobody has is a mistake"


@pytest.mark.parametrize(("role", "what"), list(itertools.product(Role, EVERYTHING)))
def test_every_role_may_exactly_what_the_table_says(role, what):
    actor, ticket = holder(role)
    exchanged_with = "osg" if role is Role.HELPDESK else ""
    assert role in actor.roles(ticket, exchanged_with=exchanged_with)
    may = TRUTH[role].split()
    if role is Role.SUBMITTER:
        may += TRUTH[Role.USER].split()
    if what.value in may:
        permitting = require(actor, what, ticket, exchanged_with=exchanged_with)
        assert permitting in PERMITTED[what]
    else:
        with pytest.raises(Forbidden) as refusal:
            require(actor, what, ticket, exchanged_with=exchanged_with)
        assert refusal.value.possible == tuple(sorted(each.value for each in PERMITTED[what]))


@pytest.mark.parametrize("what", EVERYTHING)
@pytest.mark.parametrize(
    "nobody",
    [
        Actor("nobody"),
        Actor("user:?", None, frozenset({Grant("emperor"), Grant("submitter"), Grant("user")})),
        Actor.helpdesk("osg"),
        Actor.helpdesk(""),
        Actor("token:t", None, frozenset({Grant("teamer", "cms"), Grant("alarmer", "cms")})),
    ],
    ids=["without roles", "unknown roles", "foreign helpdesk", "nameless helpdesk", "other VO"],
)
def test_whatever_has_no_row_is_denied(nobody, what):
    ticket = opened(particulars=Particulars(type="TEAM", vo="atlas"))
    assert permitted(nobody, [what], ticket) == []
    with pytest.raises(Forbidden):
        require(nobody, what, ticket)


def test_a_teamer_has_no_say_in_a_user_ticket_of_the_same_vo():
    ticket = opened(particulars=Particulars(vo="atlas"))
    actor = Actor("token:t", None, frozenset({Grant("teamer", "atlas")}))
    assert actor.roles(ticket) == frozenset()


def test_first_line_is_the_responsible_unit_until_somebody_else_is():
    ticket, actor = opened(), person(Grant("tpm"))
    assert ticket.unit == TPM
    assert actor.roles(ticket) == {Role.USER, Role.TPM, Role.SUPPORTER, Role.UNIT}
    with as_actor():
        ticket.assign("NGI_DE")
    assert actor.roles(ticket) == {Role.USER, Role.TPM, Role.SUPPORTER}


def test_every_command_names_a_right_of_the_table():
    for command, row in DECISIONS.items():
        if callable(row.right):
            asked = {
                row.right(c.Comment(number=1, text="x", visibility=each)) for each in c.Visibility
            }
            assert command in (c.Comment, c.Attach)
        else:
            asked = {row.right}
        assert asked <= set(PERMITTED)


# -- opening -----------------------------------------------------------------------------------------


def wish(type_: str = "USER", vo: str = "atlas", **fields) -> c.OpenTicket:
    return c.OpenTicket(subject="x", particulars=Particulars(type=type_, vo=vo), **fields)


@pytest.mark.parametrize(
    ("grants", "may_open"),
    [
        ((), "USER"),
        ((Grant("teamer", "atlas"),), "USER TEAM"),
        ((Grant("alarmer", "atlas"),), "USER TEAM ALARM"),
        ((Grant("teamer", "atlas"), Grant("alarmer", "cms")), "USER TEAM"),
        ((Grant("teamer", "cms"), Grant("alarmer", "cms")), "USER"),
        ((Grant("supporter", "NGI_DE"),), "USER OPS SECURITY"),
        ((Grant("admin"),), "USER OPS SECURITY"),
        ((Grant("auditor"),), "USER"),
    ],
)
def test_who_may_open_which_type_for_atlas(grants, may_open):
    """Being alarmer of another VO once opened the door to alarms of the VO where one is teamer only."""
    actor = person(*grants)
    for type_ in OPENING:
        if type_ in may_open.split():
            must_open(actor, wish(type_), DEFAULTS)
        else:
            with pytest.raises(Forbidden):
                must_open(actor, wish(type_), DEFAULTS)


def vo(name: str = "atlas", **has) -> VirtualOrganisation:
    found = VirtualOrganisation(random_id())
    with as_actor():
        found.register(name, **has)
    return found


@pytest.mark.parametrize(
    ("type_", "entry", "may"),
    [
        ("TEAM", vo(team=True), True),
        ("TEAM", vo(alarms=True), False),
        ("TEAM", vo(), False),
        ("TEAM", None, False),
        ("ALARM", vo(team=True), False),
        ("ALARM", vo(team=True, alarms=True), True),
    ],
)
def test_a_vo_has_the_types_of_tickets_that_its_entry_says(type_, entry, may):
    about = Particulars(type=type_, vo="atlas")
    if may:
        must_belong(entry, about)
    else:
        with pytest.raises(Invalid, match=f"atlas has no {type_} tickets"):
            must_belong(entry, about)


@pytest.mark.parametrize("kind", UnitKind)
def test_users_submit_to_first_line_ngis_and_vo_support_and_staff_to_all(kind):
    unit = SupportUnit(random_id())
    with as_actor():
        unit.register("UNIT", kind=kind)
    must_name(person(Grant("supporter", "NGI_DE")), unit)
    if kind in {UnitKind.FIRST_LINE, UnitKind.NGI, UnitKind.VO_SUPPORT}:
        must_name(person(), unit)
    else:
        with pytest.raises(Forbidden):
            must_name(person(), unit)


def test_a_team_ticket_names_its_vo():
    with pytest.raises(Invalid, match="name it"):
        must_open(person(Grant("teamer", "atlas")), wish("TEAM", vo=""), DEFAULTS)


def test_only_staff_opens_tickets_in_the_name_of_others():
    somebody, other = person(), uuid4()
    must_open(somebody, wish(submitter=somebody.person), DEFAULTS)
    with pytest.raises(Forbidden):
        must_open(somebody, wish(submitter=other), DEFAULTS)
    must_open(person(Grant("tpm")), wish(submitter=other), DEFAULTS)
    must_open(Actor.helpdesk("osg"), wish(submitter=other), DEFAULTS)


@pytest.mark.parametrize(
    "about",
    [Particulars(type="WISH"), Particulars(category="Wish"), Particulars(issue_type="Wishes")],
)
def test_words_that_nobody_knows_are_refused_with_those_that_are_known(about):
    with pytest.raises(UnknownValue) as refusal:
        must_open(person(), c.OpenTicket(subject="x", particulars=about), DEFAULTS)
    assert refusal.value.possible


# -- granting ----------------------------------------------------------------------------------------


def registered() -> Person:
    somebody = Person(uuid4())
    with as_actor():
        somebody.register(name="Supporter of NGI_DE", mail="supporter@example.org")
    return somebody


@pytest.mark.parametrize(
    ("grant", "error"),
    [
        (Grant("rule"), UnknownValue),
        (Grant("helpdesk", "osg"), UnknownValue),
        (Grant("emperor"), UnknownValue),
        (Grant("supporter"), Invalid),
        (Grant("teamer"), Invalid),
        (Grant("admin", "NGI_DE"), Invalid),
        (Grant("supporter", "NGI_DE\0"), Invalid),
    ],
)
def test_roles_that_are_not_for_persons_or_lack_their_scope_are_not_granted(grant, error):
    with as_actor(), pytest.raises(error):
        registered().grant(grant)


def test_a_role_is_granted_once_and_revoked_once():
    somebody, grant = registered(), Grant("supporter", "NGI_DE")
    with as_actor():
        somebody.grant(grant)
        with pytest.raises(NothingToDo):
            somebody.grant(grant)
        somebody.revoke(grant)
        with pytest.raises(NothingToDo):
            somebody.revoke(grant)
    assert somebody.grants == frozenset()


def test_nothing_is_granted_to_a_person_who_is_not_registered():
    with as_actor(), pytest.raises(EntryNotFound):
        Person(uuid4()).grant(Grant("admin"))
