"""Recipes for tiny rerankers on the toy data set."""

import pytest
from tests.rerank_models import make_base, make_qwen_reranker
from tests.training.conftest import recipe_table, toy, write_split

from skillret.training.recipe import Recipe, parse_recipe


@pytest.fixture(scope="session")
def encoder_base(tmp_path_factory):
    return make_base(tmp_path_factory.mktemp("reranker-base"))


@pytest.fixture(scope="session")
def decoder_base(tmp_path_factory):
    return make_qwen_reranker(tmp_path_factory.mktemp("reranker-qwen"))


def twins(table, marker="today"):
    """Every skill holds a word, and has a twin that is never wanted and lacks it."""
    for row in list(table["skills"]):
        twin = {**row, "id": f"{row['id']}-twin", "name": f"other-{row['name']}"}
        table["skills"].append(twin)
        row["description"] = f"{marker} {marker} {row['description']}"
    return table


@pytest.fixture(scope="session")
def twin_dataset(tmp_path_factory):
    """A data set that is learned by one word."""
    folder = tmp_path_factory.mktemp("twin-data") / "twins"
    write_split(folder, "train", twins(toy(24, 2, 0, "s")))
    return write_split(folder, "dev", twins(toy(8, 1, 1, "d")))


@pytest.fixture
def reranker_recipe(encoder_base, dataset):
    """Some steps of a tiny BERT as a reranker on the toy data; arguments change sections."""

    def make(base=encoder_base, **sections) -> Recipe:
        table = recipe_table(base, dataset)
        table["kind"] = "reranker"
        table["model"].pop("query_prompt")
        table["train"]["batch_size"] = 4
        table["negatives"] = {"sources": ["bm25"], "per_pair": 3, "first_rank": 1}
        table["evaluate"]["pool"] = 8
        for name, keys in sections.items():
            table[name].update(keys)
        return parse_recipe(table, "toy-reranker")

    return make
