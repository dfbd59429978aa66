"""The door for old SOAP clients: ``POST /soap/ggus``, and its description at ``/soap/ggus?wsdl``."""

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.datastructures import State
from starlette.exceptions import HTTPException

from adapters.helpdesks.ggus_soap import envelope
from adapters.helpdesks.ggus_soap.wsdl import wsdl
from adapters.kit.doorkeeping import Shut
from api.bootstrap import Services
from api.problems import problem
from api.soap import OUTCOME_HEADER, SoapDesk

PATH: Final = "/soap/ggus"

router = APIRouter(include_in_schema=False)


@router.get(PATH)
async def description(request: Request) -> Response:
    """The WSDL; with ``?wsdl`` as clients ask for it, or without."""
    services: Services = request.app.state.services
    base = services.settings.public_url.rstrip("/") or str(request.base_url).rstrip("/")
    return Response(wsdl(f"{base}{PATH}"), media_type="text/xml; charset=utf-8")


@router.post(PATH)
async def call(request: Request) -> Response:
    """One call. Faults come with status 500, as SOAP 1.1 over HTTP has it."""
    try:
        raw = await request.body()
    except HTTPException as error:
        return problem(error.status_code, "too-large", "the envelope is too large")
    try:
        answered = await _desk(request.app.state).answer(raw)
    except Shut as shut:
        headers = {"Retry-After": str(shut.retry_after_s)}
        return problem(503, "shut", str(shut), headers=headers)
    headers = {OUTCOME_HEADER: answered.outcome} if answered.outcome else {}
    kind = envelope.media_type(soap_12=answered.soap_12)
    return Response(answered.body, 500 if answered.fault else 200, headers, media_type=kind)


def _desk(state: State) -> SoapDesk:
    """One for the application: calls of a partner wait for each other there."""
    if not hasattr(state, "soap"):
        state.soap = SoapDesk(state.services)
    desk: SoapDesk = state.soap
    return desk
