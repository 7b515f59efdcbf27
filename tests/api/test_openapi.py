"""The description and the server agree: what it describes is what it takes and answers, whatever is sent."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from dermascan_core.api.forms import PHOTO_FIELD
from tests.api.conftest import AS_CLINIC

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
OPERATIONS = (
    *("GET /healthz", "GET /readyz", "GET /metrics", "GET /v1/models", "POST /v1/screenings", "POST /v1/batches"),
    *("GET /v1/batches/{job_id}", "GET /v1/batches/{job_id}/results", "DELETE /v1/batches/{job_id}"),
    "POST /v1/predictions",
)
BY_HAND = {"POST /v1/studies"}  # in tests/api/test_studies.py: schemathesis writes no multipart/related


def test_every_path_is_tried(server):
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")

    assert {found.ok().label for found in schema.get_all_operations()} == {*OPERATIONS, *BY_HAND}


@pytest.mark.parametrize("label", OPERATIONS)
def test_whatever_is_sent_the_answer_is_one_that_is_described(server_with_keys, label):
    schema = schemathesis.openapi.from_url(f"{server_with_keys.url}/openapi.json")
    (operation,) = (found.ok() for found in schema.get_all_operations() if found.ok().label == label)

    @given(case=operation.as_strategy())
    @settings(
        max_examples=10,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case):
        case.validate_response(case.call(headers=AS_CLINIC), checks=CHECKS)

    check()


def test_every_path_is_described_with_its_problems(server):
    paths = server.client.get("/openapi.json").json()["paths"]

    for operations in paths.values():
        for operation in operations.values():
            assert operation["summary"]
            assert operation["description"]
            assert {"401", "429", "500", "503"} <= set(operation["responses"])
            assert "application/problem+json" in operation["responses"]["503"]["content"]
    form = paths["/v1/screenings"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["example"][PHOTO_FIELD] == ["mole.jpg"]
    assert form["properties"]["changing"]["description"] == "Has it changed in size, shape or colour?"
