"""What sessions with partners' interfaces have in common: one account's calls, a few at a time, and its files.

What is asked, and what the answers mean, says the session of each adapter.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from adapters.kit.downloads import Downloads
from adapters.kit.http import BYTES_MAX, Answer, Api, Upload

_AT_ONCE: Final = 4
"""So many calls a partner gets from us at the same time."""


class AccountSession:
    """One account at one partner's interface. Calls beyond ``at_once`` wait for one to end."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        root: str = "",
        at_once: int = _AT_ONCE,
        bytes_max: int = BYTES_MAX,
        allow_private: bool,
        environment: str = "",
    ) -> None:
        """``headers``: what lets us in. ``root``: the path with which all calls begin.

        ``bytes_max``: of an answer; a larger one is refused.
        """
        self._api = Api(
            url, allow_private=allow_private, bytes_max=bytes_max, environment=environment
        )
        self._headers, self._root = dict(headers), root
        self._lane = asyncio.Semaphore(at_once)
        self.downloads = Downloads(self._api, self._headers)

    async def close(self) -> None:
        await self._api.close()

    async def ask(
        self,
        method: str,
        path: str,
        json: Any = None,
        query: Mapping[str, str | int] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Upload | None = None,
    ) -> Answer:
        """One call below the root; the answer whatever its status is. Raises ``Undelivered``.

        ``headers``: beside those that let us in. ``body``: as in ``Api.call``.
        """
        async with self._lane:
            return await self._api.call(
                method,
                self._root + path,
                json=json,
                query=query,
                headers=self._headers | dict(headers or {}),
                body=body,
            )
