"""The limits in the documentation are those that hold."""

import pytest
from h11._connection import DEFAULT_MAX_INCOMPLETE_EVENT_SIZE as MOST_HEAD

from skillret.retrieval.query import MAX_QUERY_CHARACTERS
from skillret.serving import service, skill_files
from skillret.serving.http import protocol, schemas, values
from skillret.serving.http.app import Options
from tests.conftest import ROOT
from tests.serving.http.test_search import refused
from tests.serving.http.test_skills import SOUP

_DOCS = (ROOT / "docs" / "service.md").read_text("utf-8")
_FIELDS = schemas.SkillFields.model_fields


def _longest(name):
    return next(m.max_length for m in _FIELDS[name].metadata if hasattr(m, "max_length"))


@pytest.mark.parametrize(
    "row",
    [
        f"| {Options().max_body >> 20} MB, {Options().timeout:g} s, {Options().max_concurrent} |",
        f"| {MOST_HEAD:,} bytes, {protocol._HEAD_SECONDS:g} s | the head of a request |",
        f"| {schemas.MOST_HITS} | `k`,",
        f"| {values.MOST_TEXTS} | queries of a search; texts of",
        f"| {schemas.MOST_SKILLS:,} | skills of one",
        f"| {values.MOST_NAMES} names, {values.MOST_VALUES} values each | `where` |",
        f"| {MAX_QUERY_CHARACTERS:,} characters | of a query",
        f"| {_longest('name')} and {_longest('description'):,} characters | a skill's name and",
        f"its id has up to {skill_files.MAX_NAME:,} |",
        f"| {service.MOST_METADATA:,} bytes | a skill's metadata",
    ],
)
def test_documented_limits_are_those_that_hold(row):
    assert row in _DOCS


def test_one_more_than_a_limit_is_refused(client):
    skills = [{"id": str(n), **SOUP} for n in range(schemas.MOST_SKILLS + 1)]
    reply = client.post("/v1/skills?library=team", json={"skills": skills})
    assert "at most 1000 items" in refused(reply, 422, "invalid_fields")
    large = {**SOUP, "metadata": {"a": "x" * service.MOST_METADATA}}
    reply = client.put("/v1/skills/x?library=team", json=large)
    assert "larger than 16,384 bytes" in refused(reply, 400, "invalid_request")
    for field in ("name", "description"):
        long = {**SOUP, field: "x" * (_longest(field) + 1)}
        refused(client.put("/v1/skills/x?library=team", json=long), 422, "invalid_fields")
