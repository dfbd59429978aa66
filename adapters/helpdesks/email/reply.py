"""What a person wrote in a mail, without the history that mail programs put below or above it.

One pass over the lines, so the time grows with the length of the mail and nothing else. In doubt a line
stays: too much text can be read over, too little is lost from sight (the mail itself is kept anyway).
"""

import re
from collections.abc import Sequence
from typing import Final

from adapters.helpdesks.email.words import (
    ATTRIBUTIONS,
    FORWARDED,
    HEADER_LABELS,
    MARKER,
    ORIGINAL,
    SENDER_LABELS,
)

_LINES_MAX: Final = 5_000
_LINE_LOOKED_AT: Final = 400
"""Characters: no line that a mail program writes is longer."""
_HEADER_LINES: Final = 6
_SIGNATURE_LINES_MAX: Final = 15
_LABEL: Final = re.compile(r"[*_ ]{0,3}([^\W\d_][\w .'-]{0,30}?)[*_ ]{0,3}\s?[:\uff1a]")
_RULE: Final = re.compile(r"[_\-=*]{5,200}")
_ORIGINAL: Final = re.compile(r"[-_*= ]{2,60}([^\W\d_][^-_*=]{2,60}?)[-_*= ]{2,60}")


def reply(text: str) -> str:
    """The new part of a mail. Never empty when the mail has any text."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    lines = text.split("\n")
    lines, rest = lines[:_LINES_MAX], lines[_LINES_MAX:]
    history = _history(lines)
    if rest and history == len(lines):
        return text  # nobody writes so much: a log, to be kept as it is
    new = "\n".join(_unsigned(_unquoted(lines[:history]))).strip()
    return new or text


def _history(lines: Sequence[str]) -> int:
    """The line at which the history begins; their number where there is none, or it stands above."""
    last = max(
        (n for n, line in enumerate(lines) if line.strip() and not _quoted(line)), default=-1
    )
    for at, whole in enumerate(lines):
        line = whole[:_LINE_LOOKED_AT].strip()
        if MARKER in line:
            return _without_attribution(lines, at)
        if not line or not (line[0].isalnum() or line[0] in "-_*= "):
            continue
        if _says_original(line) or _begins_header(lines, at):
            return _without_rule(lines, at)
        if _attributes(lines, at) and _all_quoted(lines, at, last):
            return at
    return len(lines)


def _says_original(line: str) -> bool:
    found = _ORIGINAL.fullmatch(line)
    return found is not None and found[1].strip().lower() in ORIGINAL | FORWARDED


def _begins_header(lines: Sequence[str], at: int) -> bool:
    """Whether Outlook's block stands here: sender first, then at least two of date, recipient, subject."""
    if _label(lines[at]) not in SENDER_LABELS:
        return False
    following = lines[at + 1 : at + _HEADER_LINES]
    return len({_label(line) for line in following} & HEADER_LABELS) >= 2


def _label(line: str) -> str:
    found = _LABEL.match(line[:_LINE_LOOKED_AT].strip())
    return found[1].strip().lower() if found else ""


def _attributes(lines: Sequence[str], at: int) -> bool:
    """Whether "On ... somebody wrote:" begins here, in one line or folded into up to three."""
    end = next((n for n in range(at, min(at + 3, len(lines))) if _ends(lines[n])), None)
    if end is None or not all(line.strip() for line in lines[at : end + 1]):
        return False
    # What the writer put right above it is not part of it.
    begins = [n for n in range(at, end + 1) if _is_attribution(lines[n : end + 1])]
    return bool(begins) and begins[-1] == at


def _is_attribution(lines: Sequence[str]) -> bool:
    words = " ".join(line[:_LINE_LOOKED_AT].strip() for line in lines)
    return any(pattern.match(words) for pattern in ATTRIBUTIONS)


def _all_quoted(lines: Sequence[str], at: int, last: int) -> bool:
    """Whether no text of the writer follows an attribution; ``last`` is the last line without a mark."""
    after = next((n for n in range(at, min(at + 3, len(lines))) if _ends(lines[n])), at) + 1
    following = next((line for line in lines[after : after + 4] if line.strip()), "")
    # A program that does not mark quotations: all below is history.
    return not _quoted(following) or last < after


def _ends(line: str) -> bool:
    return line[:_LINE_LOOKED_AT].rstrip().endswith((":", "\uff1a"))


def _without_attribution(lines: Sequence[str], at: int) -> int:
    """Our own mark is found: the attribution just above it belongs to the history too."""
    for back in range(1, 7):
        if at - back >= 0 and (
            _attributes(lines, at - back) or _begins_header(lines, at - back)
            or _says_original(lines[at - back][:_LINE_LOOKED_AT].strip())
        ):  # fmt: skip
            return _without_rule(lines, at - back)
    while at and not lines[at - 1].strip("> \t"):
        at -= 1
    return at


def _without_rule(lines: Sequence[str], at: int) -> int:
    """Outlook draws a line above its block."""
    above = next((n for n in range(at - 1, max(at - 4, -1), -1) if lines[n].strip()), -1)
    drawn = above >= 0 and _RULE.fullmatch(lines[above][:_LINE_LOOKED_AT].strip())
    return above if drawn else at


def _quoted(line: str) -> bool:
    return line.lstrip()[:1] == ">"


def _unquoted(lines: Sequence[str]) -> list[str]:
    """Without quotations before the first and after the last line of the writer's own.

    Those between are what the answers answer, so they stay.
    """
    own = [n for n, line in enumerate(lines) if line.strip() and not _quoted(line)]
    own = [n for n in own if not _introduces(lines, n)] or own
    if not own:
        return []
    return list(lines[own[0] : own[-1] + 1])


def _introduces(lines: Sequence[str], at: int) -> bool:
    """Whether this line is (part of) an attribution of the quotation right below it."""
    for begin in range(max(at - 2, 0), at + 1):
        if not lines[begin].strip() or not _attributes(lines, begin):
            continue
        end = next(n for n in range(begin, min(begin + 3, len(lines))) if _ends(lines[n]))
        if begin <= at <= end and any(_quoted(line) for line in lines[end + 1 : end + 3]):
            return True
    return False


def _unsigned(lines: Sequence[str]) -> list[str]:
    """Without the signature: a few lines below the last ``-- ``, with text of the writer above it."""
    first = next((n for n, line in enumerate(lines) if line.strip()), len(lines))
    for at in range(len(lines) - 1, max(first, len(lines) - _SIGNATURE_LINES_MAX), -1):
        if lines[at] in ("-- ", "--"):
            return list(lines[:at])
    return list(lines)
