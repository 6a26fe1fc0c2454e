import json

import pytest
from tests.conftest import HashEncoder

from skillret.encoders import load_encoder
from skillret.errors import InputError
from skillret.evaluation import costs
from skillret.evaluation.costs import (
    About,
    Cost,
    about_file,
    model_bytes,
    read_about,
    timed,
    write_about,
)

ABOUT = About("mine, hybrid", Cost(1.5, 23), ("a note",))


@pytest.fixture
def run(tmp_path):
    file = tmp_path / "mine.run"
    file.write_text("q Q0 a 1 1 x\n")
    return file


def test_what_is_written_comes_back(run):
    write_about(run, ABOUT)
    assert about_file(run).name == "mine.run.json"
    assert read_about(run) == ABOUT
    unknown = About("x", Cost(2.0, None))
    write_about(run, unknown)
    assert read_about(run) == unknown


def test_what_lies_beside_another_run_is_refused(run):
    write_about(run, ABOUT)
    run.write_text("q Q0 b 1 1 x\n")
    with pytest.raises(InputError, match=r"mine\.run\.json is of another run"):
        read_about(run)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"system": "x"}', '{"model_bytes": 1}'])
def test_other_files_there_tell_nothing(run, text):
    assert read_about(run) is None
    about_file(run).write_text(text)
    assert read_about(run) is None
    about_file(run).write_text(json.dumps({"system": "x", "ms_per_query": "slow"}))
    assert read_about(run) is None


def test_sizes_of_models():
    size = model_bytes(load_encoder("default"))
    assert 20_000_000 < size < 40_000_000
    assert model_bytes(HashEncoder()) is None


def test_weights_of_torch_are_counted():
    torch = pytest.importorskip("torch")

    class Loaded:
        model = torch.nn.Linear(3, 2)

    assert model_bytes(Loaded()) == 4 * (3 * 2 + 2)


@pytest.mark.parametrize(("queries", "took"), [(10, 250), (0, 2500)])
def test_time_is_by_query(monkeypatch, queries, took):
    monkeypatch.setattr(costs, "perf_counter", iter([1.5, 4.0]).__next__)
    assert timed(lambda: "found", queries) == ("found", took)
