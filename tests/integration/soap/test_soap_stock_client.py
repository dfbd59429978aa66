"""A stock SOAP client works from the WSDL alone."""

import asyncio

import pytest
import zeep

from tests.soap_callers import ADDRESS, BY, NO_ENTRY, origin


class Bridge(zeep.Transport):
    """Lets the stock client, which knows threads only, call the service in our loop."""

    def __init__(self, http, loop) -> None:
        super().__init__()
        self._http, self._loop = http, loop

    def load(self, url):
        return self._done(self._http.get(url)).content

    def post(self, address, message, headers):
        return self._done(self._http.post(address, content=message, headers=headers))

    def _done(self, call):
        return asyncio.run_coroutine_threadsafe(call, self._loop).result(10)


async def test_a_stock_client_works_from_the_wsdl_alone(partner, stranger):
    bridge = Bridge(stranger, asyncio.get_running_loop())
    name, password = partner._credentials

    def work() -> tuple:
        client = zeep.Client(
            f"{ADDRESS}?wsdl", transport=bridge, settings=zeep.Settings(strict=True)
        )
        info = client.get_element("{urn:GGUS}AuthenticationInfo")(userName=name, password=password)
        service = client.service
        header = {"_soapheaders": [info]}
        number = service.TicketCreate(GHD_Short_Description="From zeep", **origin("77"), **header)
        service.TicketModify(GHD_Request_ID=number, GHD_Status="in progress", **BY, **header)
        return number, service, info

    def seen(service, info, number) -> tuple:
        header = {"_soapheaders": [info]}
        got = service.TicketGet(GHD_Request_ID=number, **header)
        listed = service.TicketGetList(GHD_Responsible_Unit="TPM", maxLimit=10, **header)
        rows = service.OpGetTicketHist(GHD_Request_ID=number, **header)
        with pytest.raises(zeep.exceptions.Fault) as fault:
            service.TicketGet(GHD_Request_ID="999999", **header)
        header_file = {"GAT_Last_Modifier": "NGI_CZ", "GAT_Last_Login": "ngi_cz", **header}
        added = service.AddAttachment(
            GAT_Request_ID=number, GAT_Attachment_Name="a.bin", GAT_Attachment_Data=b"\x00\xff",
            GAT_Attachment_Orig_Size=2, **header_file,
        )  # fmt: skip
        file = service.GetOneAttachment(GAT_Attachment_ID=added, **header)
        assert file.GAT_Attachment_attachmentData == b"\x00\xff"
        [every] = service.GetAttachments(GAT_Request_ID=number, **header)
        assert every.GAT_Attachment_attachmentData == b"\x00\xff"
        [one] = service.GetAttachIDs(GAT_Request_ID=number, **header)
        assert one.GAT_AttachmentID == added
        return got, listed, rows, fault.value

    number, service, info = await asyncio.to_thread(work)
    got, listed, rows, fault = await asyncio.to_thread(seen, service, info, number)
    assert (got.GHD_Status, got.GHD_Short_Description) == ("in progress", "From zeep")
    assert [row.GHD_Request_ID for row in listed] == [number]
    assert [row.GHD_Status for row in rows] == ["new", "in progress"]
    assert fault.message == NO_ENTRY
    assert fault.code.endswith(":Client")
