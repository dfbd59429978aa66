"""What the routes of commands take: unknown fields are refused, every text is bounded, and each shows an example."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from domain.vocabulary import (
    DEFAULTS,
    NAME_CHARACTERS_MAX,
    SOLVED_QUALIFIERS,
    SUBJECT_CHARACTERS_MAX,
    TEXT_CHARACTERS_MAX,
    UNSOLVED_QUALIFIERS,
    NotificationMode,
    Priority,
    TicketType,
    Visibility,
)

Name = Annotated[str, Field(max_length=NAME_CHARACTERS_MAX, pattern=r"^[^\x00-\x1f]*$")]
Text = Annotated[str, Field(max_length=TEXT_CHARACTERS_MAX)]
Words = Annotated[str, Field(min_length=1, max_length=TEXT_CHARACTERS_MAX)]


class Body(BaseModel):
    """What is not named here is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def example(**values: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [values]})


class Opening(Body):
    subject: Annotated[str, Field(min_length=1, max_length=SUBJECT_CHARACTERS_MAX)]
    description: Text = ""
    type: TicketType = TicketType.USER
    category: Name = DEFAULTS.categories[0]
    priority: Priority = Priority.LESS_URGENT
    issue_type: Name = DEFAULTS.issue_types[0]
    vo: Name = ""
    vo_specific: bool = False
    affected_site: Name = ""
    notified_site: Annotated[
        Name, Field(description="Tell this site; its NGI gets the ticket.")
    ] = ""
    unit: Annotated[Name, Field(description="Straight to this unit; not with notified_site.")] = ""
    notification: NotificationMode = NotificationMode.ON_SOLUTION
    problem_at: AwareDatetime | None = None

    model_config = example(
        subject="Transfers to disk pool time out",
        description="Since this morning every second transfer fails after 300 s.",
        priority="urgent",
        vo="atlas",
        affected_site="EXAMPLE-T2",
    )


class Assignment(Body):
    unit: Name = ""
    notified_site: Name = ""
    note: Text = ""

    model_config = example(unit="NGI_DE", note="A storage problem of the site.")


class Taking(Body):
    person: Annotated[UUID | None, Field(description="The caller if missing.")] = None

    model_config = example()


class Note(Body):
    note: Text = ""

    model_config = example(note="Looking at the logs of the pool nodes.")


class QuestionBody(Body):
    question: Words
    remind_on: date | None = None

    model_config = example(question="Which file was it?", remind_on="2026-12-01")


class Reply(Body):
    text: Words

    model_config = example(text="It was the file of last night's run.")


class Hold(Body):
    reason: Words
    remind_on: date | None = None

    model_config = example(reason="Waiting for a spare part.", remind_on="2026-12-01")


class Solution(Body):
    solution: Words
    qualifier: Annotated[str, Field(json_schema_extra={"enum": list(SOLVED_QUALIFIERS)})] = (
        SOLVED_QUALIFIERS[0]
    )

    model_config = example(solution="The disk was replaced.", qualifier="fixed")


class Unsolvable(Body):
    reason: Words
    qualifier: Annotated[str, Field(json_schema_extra={"enum": list(UNSOLVED_QUALIFIERS)})] = (
        UNSOLVED_QUALIFIERS[-1]
    )

    model_config = example(reason="The hardware is out of support.", qualifier="wont fix")


class Reopening(Body):
    comment: Words

    model_config = example(comment="It happens again.")


class DiaryEntry(Body):
    text: Words
    visibility: Visibility = Visibility.PUBLIC

    model_config = example(text="The site has announced a downtime.", visibility="public")


class Reclassification(Body):
    field: Annotated[str, Field(max_length=NAME_CHARACTERS_MAX)]
    value: Name
    justification: Text = ""

    model_config = example(
        field="priority", value="very urgent", justification="Production has stopped."
    )
