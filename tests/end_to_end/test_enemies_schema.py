"""Requests made up from the OpenAPI document, good and bad: no answer is a mistake of ours, and all are documented."""

from types import SimpleNamespace
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.besieging import Besieged


def document() -> dict[str, Any]:
    """The same as the one that is served; here it is needed before anything runs."""
    from api.app import create_app
    from api.settings import Settings

    return create_app(SimpleNamespace(settings=Settings())).openapi()  # type: ignore[arg-type]


schema = schemathesis.openapi.from_dict(document()).exclude(path_regex="^/metrics")


@schema.parametrize()
@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_made_up_request_gets_a_documented_answer(case, besieged: Besieged):
    answer = case.call(
        base_url=besieged.service.address,
        headers={"Authorization": f"Bearer {besieged.tokens['all']}"},
        timeout=20,
    )
    assert answer.status_code != 500, case.as_curl_command()
    case.validate_response(
        answer,
        checks=[content_type_conformance, response_schema_conformance, status_code_conformance],
    )
