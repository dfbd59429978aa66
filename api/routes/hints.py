"""Where partners say that they have something new. Whoever says so only makes us look sooner."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from api.bootstrap import Services

router = APIRouter(prefix="/partners", tags=["exchange"])

Name = Annotated[str, Path(max_length=100, pattern=r"^\w+$", examples=["osg"])]


@router.post(
    "/{helpdesk}/hint",
    summary="Say that a helpdesk has something new",
    response_class=Response,
    responses={202: {"description": "Heard; the same for names that nobody knows"}},
    status_code=202,
)
async def hint(helpdesk: Name, request: Request) -> Response:
    """Needs no token, and takes no content. Its poller looks at once; more than one a second are dropped."""
    services: Services = request.app.state.services
    await services.hints.give(helpdesk)
    return Response(status_code=202)
