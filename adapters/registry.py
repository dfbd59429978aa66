"""The adapters that helpdesks can be registered with: one line each."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from adapters.helpdesks.osg_mail.mapping import OsgMail
from adapters.kit.contract import Adapter

_ALL: Final[tuple[Adapter, ...]] = (
    OsgMail(),
)  # fmt: skip

ADAPTERS: Final[Mapping[str, Adapter]] = MappingProxyType({each.name: each for each in _ALL})
