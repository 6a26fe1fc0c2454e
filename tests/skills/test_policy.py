import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillret.skills.policy import forbids_implicit_use


@pytest.mark.parametrize(
    ("text", "forbidden"),
    [
        ("policy:\n  allow_implicit_invocation: false\n", True),
        ('{"policy": {"allow_implicit_invocation": false}}', True),
        ("interface:\n  text: Use when: x\npolicy:\n  allow_implicit_invocation: No\n", True),
        ("policy:\n  allow_implicit_invocation: true\n", False),
        ("policy: none\n", False),
        ("allow_implicit_invocation: false\n", True),
        ("policy:\n\tallow_implicit_invocation: false\n", True),
        ("interface:\n  text: x\n---\npolicy:\n  allow_implicit_invocation: false\n", True),
        ("policy: {allow_implicit_invocation: false}", True),
        ("policy: {'allow_implicit_invocation': false},\n", True),
        ("policy:\n\tallow_implicit_invocation: false # for now\n", True),
        ("policy:\n\tallow_implicit_invocation: true\n", False),
        ("# allow_implicit_invocation: false\n\tx: y: z\n", False),
        ("policy:\n  disallow_implicit_invocation: false\n", False),
        ("", False),
    ],
)
def test_the_policy_of_codex_is_read(text, forbidden):
    assert forbids_implicit_use(text.encode(), []) is forbidden


@given(st.binary(max_size=200))
def test_no_policy_raises(data):
    assert not forbids_implicit_use(data, [])


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("policy:\n  allow_implicit_invocation: flase\n", "is neither true nor false"),
        ("policy:\n  allow_implicit_invocation: false,\n", "was read as false"),
        ("policy:\n  allow-implicit-invokation: false\n", "was taken for"),
    ],
)
def test_a_mark_that_is_in_doubt_forbids_with_a_remark(text, remark):
    notes: list[str] = []
    assert forbids_implicit_use(text.encode(), notes)
    assert remark in notes[0]
