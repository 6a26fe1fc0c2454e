from pathlib import Path

import pytest

from skillret.errors import InputError
from skillret.training.recipe import load_query_tokens
from skillret.training.sections import QueryTokensSection, kind_weight

RECIPE = Path(__file__).parents[3] / "recipes" / "default-3.toml"


def test_the_recipe_of_the_packaged_model_is_one():
    settings = load_query_tokens(RECIPE)
    assert settings.steps == 450
    assert kind_weight(settings.shares, "catalogue-use-case") == 0.12
    assert kind_weight(settings.weights, "routing") == 5
    assert kind_weight(settings.weights, "in-skill-example") == 1


def test_values_can_be_set_instead(tmp_path):
    settings = load_query_tokens(RECIPE, ["query_tokens.steps=3", "query_tokens.dev_split=dev2"])
    assert (settings.steps, settings.dev_split) == (3, "dev2")
    empty = tmp_path / "empty.toml"
    empty.touch()
    assert load_query_tokens(empty) == QueryTokensSection()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("query_tokens.steps=0", "query_tokens.steps is 0; allowed: a whole number of at least 1"),
        ("query_tokens.stepps=9", "unknown key query_tokens.stepps; known: .*steps"),
        ("train.batch_size=9", "unknown section 'train'; one of query tokens has query_tokens"),
        ("query_tokens.weights=['x']", r"allowed: a list such as \[\"scenario=3\"\]"),
        ("query_tokens.dev_split=train", "is 'train', the split it trains on; allowed: another"),
        ("query_tokens.dev_split=test", "allowed: a split, never one called test"),
        ("steps=3", "is not of the form section.key=value"),
    ],
)
def test_what_is_at_fault_is_said_in_one_line(override, message):
    with pytest.raises(InputError, match=message) as caught:
        load_query_tokens(RECIPE, [override])
    assert "\n" not in str(caught.value)


def test_the_first_rule_that_fits_counts():
    rules = ("catalogue-use=2", "catalogue-*=0.5")
    kinds = ("catalogue-use", "catalogue-output", "casual", "")
    assert [kind_weight(rules, kind) for kind in kinds] == [2, 0.5, 1, 1]
    assert kind_weight((), "casual") == 1
