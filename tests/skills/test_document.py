from dataclasses import replace

from tests.conftest import make_skill

from skillret.encoders import DOCUMENT_TEMPLATE
from skillret.skills import content_hash, document_text


def test_the_document_is_the_published_one():
    skill = make_skill(" a ", " b ", "\nc\n")
    assert document_text(skill, DOCUMENT_TEMPLATE) == "a | b | c"


def test_braces_of_a_skill_are_text():
    assert document_text(make_skill("{body}", "{0}", "{"), DOCUMENT_TEMPLATE) == "{body} | {0} | {"


def test_the_hash_sees_where_one_field_ends():
    skill = make_skill("ab", "c", "d")
    assert content_hash(skill) != content_hash(replace(skill, name="a", description="bc"))
    assert content_hash(skill) == content_hash(replace(skill, id="x", path="/p"))
