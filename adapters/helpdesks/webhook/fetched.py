"""Files that a partner's event only names: asked for by their hash, where the partner answers looks."""

from typing import Final

from adapters.helpdesks.webhook.keys import Keys
from adapters.helpdesks.webhook.looking import asked_at, signed_headers
from adapters.kit.downloads import Downloads, NotFetched, Wanted
from adapters.kit.http import Api
from adapters.kit.interface import Elsewhere

BELOW: Final = "/files"
"""Of the address for looks."""


class WebhookFiles:
    def __init__(self, api: Api, address: str, keys: Keys) -> None:
        self._address, self._keys = address, keys
        self._headers: dict[str, str] = {}
        self._downloads = Downloads(api, self._headers)

    async def fetch(self, file: Elsewhere) -> bytes | NotFetched:
        query = [("ticket", file.ticket), ("sha256", file.sha256)]
        address, asked = asked_at(self._address, query, below=BELOW)
        # A signature is good for a while: each attempt has its own.
        self._headers.update(signed_headers(self._keys, asked))
        found = await self._downloads.fetch(
            Wanted(path=address, size=file.size, sha256=file.sha256)
        )
        self._downloads.used()
        return found
