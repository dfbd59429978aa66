"""What an operator does about a parked message before it is tried again, by the code it was parked with.

The same in a word or two as docs/operations.md, where each code is explained.
"""

import re
from typing import Final

_ADDRESS: Final = "correct the address: directory helpdesk NAME --address"
_COMPARE: Final = "compare with the partner: exchange compare NAME --repair"
_RIGHT_KEY: Final = (
    "keep the right password, token or key (exchange secret NAME), or ask for the right there"
)
_SET_UP: Final = "have their system set up as the adapter's README says"
_AGAIN: Final = "try it again: somebody else was at work there"
_WAITS: Final = "see to the network or ask the partner"
_WORDS: Final = "read what their system said"

REMEDIES: Final[dict[str, str]] = {
    "unreadable": "publish a mapping that has the word, or ask the partner; leave out what is of no use",
    "bad-address": _ADDRESS,
    "no-address": _ADDRESS,
    "not-pushed": "register the partner without an address, and leave it out: it asks by itself",
    "redirected": _ADDRESS,
    "private-address": "if the address should be private: TICKETLEDGER_ALLOW_PRIVATE_PARTNERS=true, and a restart",
    "not-encrypted": "register the address with https://",
    "bad-secret": _RIGHT_KEY,
    "no-key": _RIGHT_KEY,
    "unauthorised": _RIGHT_KEY,
    "forbidden": _RIGHT_KEY,
    "no-field": _SET_UP,
    "no-filter": _SET_UP,
    "no-transition": _SET_UP,
    "transition-asks": _SET_UP,
    "nothing-visible": _SET_UP,
    "time-zone": _SET_UP,
    "unknown-there": _SET_UP,
    "web-page": "ask the partner: a page for people, a login or a maintenance, answered in its place",
    "another": _COMPARE,
    "http-409": "leave it out, then compare: exchange compare NAME",
    "answer-too-large": _WORDS,
    "bad-id": _WORDS,
    "not-found": _WORDS,
    "refused": _WORDS,
    "strange-answer": _WORDS,
    "no-json": _WORDS,
    "gone-there": "agree with the partner; mostly leave it out",
    "deleted-there": "agree with the partner; mostly leave it out",
    "not-open-there": "agree with the partner; mostly leave it out",
    "merged-there": "agree with the partner; mostly leave it out",
    "another-there": _COMPARE,
    "link-conflict": "find out which ticket has the number, leave the other's message out",
    "not-reached": _WAITS,
    "no-relay": _WAITS,
    "relay-refuses-us": _WAITS,
    "not-trusted": "let the relay have a certificate of an authority that is known here: mail_authorities",
    "slow": _WAITS,
    "broke-off": _WAITS,
    "spoilt": _WAITS,
    "settling": _WAITS,
    "upload-gone": _WAITS,
    "too-much": _WAITS,
    "no-reference": "ask the partner which ticket it opened: its answer has not come",
    "changed-meanwhile": _AGAIN,
    "locked": _AGAIN,
    "too-early": _AGAIN,
    "too-many": _AGAIN,
    "loop": "nothing: our ticket is named beside it",
    "too-many-openings": "look whether tickets with this subject go round; each retry lets one go on",
    "translation-failed": "report it: the adapter has a defect",
    "courier-failed": "report it: the adapter has a defect",
}
_ALIKE: Final = (
    (re.compile("http-30[1-8]"), _ADDRESS),
    (re.compile("http-5.."), _WAITS),
    (re.compile("returned-.+"), _ADDRESS),
)


def remedy(code: str) -> str:
    """Empty where nothing better is known than what the detail says."""
    alike = (what for pattern, what in _ALIKE if pattern.fullmatch(code))
    return REMEDIES.get(code) or next(alike, "")
