"""What users of a simulated federation may wish for, with a text that occurs nowhere else."""

from typing import Any

from domain import commands as c
from domain.vocabulary import Priority, Visibility

WORDS = {"note": "hidden", "hide": "hidden", "attach": "file"}


def _file(number: int, word: str, visibility: Visibility) -> c.Command:
    name = f"{word}.txt"
    return c.Attach(
        number=number, name=name, media_type="text/plain", body=word.encode(), visibility=visibility
    )


WISHES: dict[str, Any] = {
    "comment": lambda number, text, _: c.Comment(number=number, text=text),
    "rank": lambda number, text, world: c.Reclassify(
        number=number,
        field="priority",
        value=world.rng.choice(list(Priority)).value,
        justification=text,
    ),
    "note": lambda number, text, _: c.Comment(
        number=number, text=text, visibility=Visibility.INTERNAL
    ),
    "assign": lambda number, text, world: c.Assign(number=number, unit=world.unit(), note=text),
    "start": lambda number, text, _: c.StartWork(number=number, note=text),
    "ask": lambda number, text, _: c.RequestReply(number=number, question=text),
    "reply": lambda number, text, _: c.RecordReply(number=number, text=text),
    "hold": lambda number, text, _: c.PutOnHold(number=number, reason=text),
    "solve": lambda number, text, _: c.Solve(number=number, solution=text),
    "reopen": lambda number, text, _: c.Reopen(number=number, comment=text),
    "close": lambda number, _, __: c.Close(number=number),
    "attach": lambda number, text, _: _file(number, text, Visibility.PUBLIC),
    "hide": lambda number, text, _: _file(number, text, Visibility.INTERNAL),
}
