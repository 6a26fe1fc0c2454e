import pytest

from skillret.skills.marks import (
    DISABLES_MODELS,
    forbids_elsewhere,
    forbids_models,
    means,
    truth_of,
)


@pytest.mark.parametrize(
    ("key", "close"),
    [
        ("disable-model-invocation", True),
        ("disableModelInvocation", True),
        ("disable-model-invokation", True),
        ("disable-model-invocations", True),
        ("enable-model-invocation", False),
        ("disable-user-invocation", False),
        ("description", False),
        ("", False),
    ],
)
def test_a_key_is_known_by_its_letters(key, close):
    assert means(key, DISABLES_MODELS) is close


@pytest.mark.parametrize(
    ("text", "said"), [("true,", True), ("'No'", False), ("on # ok", True), ("treu", None)]
)
def test_yes_and_no_are_read_through_what_stands_around_them(text, said):
    assert truth_of(text) is said


def test_one_mark_of_several_is_enough():
    notes: list[str] = []
    fields = {"disable-model-invocation": "false", "disable_model_invokation": "yes"}
    assert forbids_models(fields, notes)
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("fields", "written", "forbidden"),
    [
        ({"metadata": {"disable-model-invocation": "true"}}, "", True),
        ({"metadata": [{"a": {"disableModelInvocation": "yes"}}]}, "", True),
        ({"metadata": {"disable-model-invocation": "false"}}, "", False),
        ({"metadata": {"disable-model-invocation": "see below"}}, "", False),
        ({}, "description: |\n  Plans.\n  disable-model-invocation: true", True),
        ({}, "disable-model-invocation = true", True),
        ({}, "disable-model-invocation: true # for now", True),
        ({}, "# disable-model-invocation: true", False),
        ({}, "disable-model-invocation: true or false, as you like", False),
        ({}, "Sets disable-model-invocation: true", False),
        ({}, "enable-model-invocation: true", False),
        ({"policy": {"allow_implicit_invocation": "false"}}, "", True),
        ({"allowImplicitInvocation": "no"}, "", True),
        ({"metadata": {"policy": {"allow-implicit-invocation": "off"}}}, "", True),
        ({}, "description: |\n  Plans.\n  allow_implicit_invocation: false", True),
        ({"policy": {"allow_implicit_invocation": "true"}}, "", False),
        ({"policy": {"allow_implicit_invocation": "see below"}}, "", False),
        ({"policy": {"allow_explicit_invocation": "false"}}, "", False),
        ({}, "Sets allow_implicit_invocation: false", False),
        ({"allowed-tools": "false"}, "allowed-tools: false", False),
    ],
)
def test_a_mark_counts_wherever_it_plainly_forbids(fields, written, forbidden):
    notes: list[str] = []
    assert forbids_elsewhere(fields, written, notes) is forbidden
    assert bool(notes) is forbidden
