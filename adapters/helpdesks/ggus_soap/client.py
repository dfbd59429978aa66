"""A small client of the interface, envelopes by hand: for tests, for partners' scripts, for trying it out."""

from typing import Final, Self

import httpx2
from lxml import etree

from adapters.helpdesks.ggus_soap import envelope
from adapters.helpdesks.ggus_soap.envelope import NAMESPACE
from adapters.helpdesks.ggus_soap.operations import OPERATIONS, on_the_wire

_TIMEOUT_S: Final = 30.0


class SoapFault(Exception):
    """The service refused the call."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Client:
    """Calls one endpoint as one helpdesk. ``http`` is the caller's to close."""

    def __init__(
        self, http: httpx2.AsyncClient, address: str, user_name: str, password: str
    ) -> None:
        self._http, self._address = http, address
        self._credentials = (user_name, password)

    def as_(self, user_name: str, password: str) -> Self:
        """The same endpoint with other credentials."""
        return type(self)(self._http, self._address, user_name, password)

    async def call(self, operation: str, **fields: str | int) -> list[dict[str, str]]:
        """The rows of the answer, by names as on the wire. Raises ``SoapFault``, ``httpx2.HTTPError``."""
        given = [(on_the_wire(name), str(value)) for name, value in fields.items()]
        return await self.send(envelope.write(operation, given, credentials=self._credentials))

    async def send(self, raw: bytes) -> list[dict[str, str]]:
        """The same with an envelope of the caller's own."""
        headers = {"Content-Type": envelope.media_type(soap_12=False), "SOAPAction": '""'}
        answer = await self._http.post(
            self._address, content=raw, headers=headers, timeout=_TIMEOUT_S
        )
        return _rows(answer.content)


def _rows(raw: bytes) -> list[dict[str, str]]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    [part] = [each for each in etree.fromstring(raw, parser) if _name(each) == "Body"]
    [answer] = part
    if _name(answer) == "Fault":
        code = answer.find(f".//{{{NAMESPACE}}}code")
        text = answer.findtext("faultstring") or "".join(str(x) for x in answer.itertext())
        raise SoapFault("" if code is None else code.text or "", text)
    operation = OPERATIONS[_name(answer).removesuffix("Response")]
    return [_row(each) for each in (answer if operation.rows else [answer])]


def _row(element: "etree._Element") -> dict[str, str]:
    return {_name(each): each.text or "" for each in element}


def _name(element: "etree._Element") -> str:
    return etree.QName(element).localname
