"""Under MTEB itself, in processes of their own: it warns and logs as it likes."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from tests.conftest import ROOT
from tests.training.conftest import make_bert

pytestmark = pytest.mark.skipif(
    find_spec("mteb") is None, reason="needs mteb: pip install '.[mteb]'"
)


@pytest.fixture
def run(tmp_path, home):
    """Runs Python without a network; what it prints."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": path, "HF_HUB_OFFLINE": "1"},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


SCRIPT = str(ROOT / "benchmarks" / "mteb_run.py")


def test_a_model_and_our_systems_have_the_figures_of_evaluate(run, dataset, tmp_path):
    """The script fails where one differs by more than 1e-4."""
    model = str(make_bert(tmp_path / "bert", positions=64))
    out = run(SCRIPT, str(dataset), "--model", model, "--results", str(tmp_path / "results"))
    assert "| ndcg@10 |" in out
    assert "| completeness@15 |" in out
    assert [*(tmp_path / "results").rglob("SkillRetrieval.json")]
    own = (str(ROOT / "examples" / "skills"), "--split", "tests")
    assert "largest difference: " in run(SCRIPT, *own, "--system", "hybrid")


CHECKS = """
import sys
import mteb
import numpy as np
import pytest
from mteb.models.models_protocols import SearchProtocol
from skillret.errors import InputError
from skillret.evaluation.mteb import SkillRetrieval, SkillretSearch, _descending

task = SkillRetrieval(sys.argv[1], "dev")
task.load_data()
split = task.dataset["default"]["dev"]
assert split["corpus"][0]["text"].startswith("pdf-tables | Extract tables from PDF files")
assert split["relevant_docs"]["q2"] == {"pdf-tables": 1, "meal-planner": 1}
task.load_data()
task.unload_data()
assert task.metadata.eval_splits == ["dev"]
assert SkillRetrieval().metadata.dataset["path"] == "ThakiCloud/SKILLRET"
recall = {q: {f"recall_{k}": value for k in task.k_values} for q, value in (("a", 1), ("b", 0.5))}
own = task.task_specific_scores(recall, {"a": {}, "b": {}}, {}, "dev", "default")
assert own["completeness_at_15"] == 0.5

system = SkillretSearch("lexical")
assert isinstance(system, SearchProtocol)
asked = split["queries"]
with pytest.raises(InputError, match="call index first"):
    system.search(asked, top_k=2)
system.index(split["corpus"])
found = system.search(asked, top_k=2)
assert list(found) == ["q1", "q2", "q3"]
assert "pdf-tables" in found["q2"]
# A query without any hit is one that counts as 0, not one that is left out.
unknown = asked.map(lambda row: {"text": "zzzz"})
assert system.search(unknown, top_k=2)["q1"] == {"": 0.0}
with pytest.raises(InputError, match="no reranking"):
    system.search(asked, top_k=2, top_ranked={})
# A corpus of another task.
plain = split["corpus"].remove_columns(["name", "description", "skill_md"])
system.index(plain)
assert "pdf-tables" in system.search(asked, top_k=2)["q2"]

scores = _descending(np.array([1, 1, 1, 0, 0], dtype=np.float32))
assert scores == sorted(scores, reverse=True)
assert len({np.float32(s) for s in scores}) == 5
"""


def test_the_task_and_the_protocol(run, dataset):
    run("-c", CHECKS, str(dataset))
