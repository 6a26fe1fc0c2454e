import sys
from importlib.metadata import PackageNotFoundError
from types import ModuleType

import pytest

from skillret import evaluate
from skillret.cli import main
from skillret.errors import MissingExtraError
from skillret.extras import require
from tests.conftest import ROOT

RECIPE = str(ROOT / "recipes" / "minilm-cpu.toml")


@pytest.fixture
def without(monkeypatch):
    """Hides modules as if they were not installed."""
    return lambda *names: [monkeypatch.setitem(sys.modules, name, None) for name in names]


def test_what_is_there_is_no_reason_to_complain(monkeypatch):
    require("train", "training", ("json", "numpy", "email"))
    monkeypatch.setitem(sys.modules, "made_by_hand", ModuleType("made_by_hand"))
    require("train", "training", ("made_by_hand",))


def test_what_is_missing_is_named_with_two_ways_to_get_it():
    with pytest.raises(MissingExtraError) as e:
        require("evaluate", "a report", ("json", "no_such_a", "no_such_b"), instead="or do without")
    assert str(e.value) == (
        "a report needs no_such_a, no_such_b: pip install 'skillret[evaluate]', in a checkout"
        " pip install '.[evaluate]'; or do without"
    )
    assert isinstance(e.value, ImportError)
    with pytest.raises(MissingExtraError, match=r"needs no_such_a\.b, json\.no_such: "):
        require("google-adk", "an adapter", ("json.decoder", "no_such_a.b", "json.no_such"))


def test_torch_comes_for_a_cpu_alone_in_the_version_that_is_asked_for(without, monkeypatch):
    without("torch")
    url = "--index-url https://download.pytorch.org/whl/cpu"
    with pytest.raises(MissingExtraError, match=rf"pip install torch==\d+\.\d+\.\d+ {url}"):
        require("train", "training", ("torch",))

    def unknown(name):
        raise PackageNotFoundError

    monkeypatch.setattr("importlib.metadata.requires", unknown)
    with pytest.raises(MissingExtraError, match=rf"pip install torch {url}"):
        require("train", "training", ("torch",))


@pytest.mark.parametrize(
    ("module", "arguments", "extra"),
    [
        ("pytrec_eval", ["evaluate", "DATA"], "evaluate"),
        ("bm25s", ["evaluate", "DATA", "--lexical", "bm25s"], "evaluate"),
        ("matplotlib", ["evaluate", "DATA", "--report", "report"], "evaluate"),
        ("jinja2", ["analyze", "erasure", "DATA", "--report", "report"], "evaluate"),
        ("pytrec_eval", ["analyze", "erasure", "DATA"], "evaluate"),
        ("pytrec_eval", ["compare", "a.run", "b.run", "--dataset", "DATA"], "evaluate"),
        ("sentence_transformers", ["evaluate", "DATA", "--model", "owner/name"], "train"),
        ("sentence_transformers", ["calibrate", "DATA", "--model", "owner/name"], "train"),
        ("torch", ["train", RECIPE, "--data", "DATA"], "train"),
        ("datasets", ["train", RECIPE, "--data", "DATA"], "train"),
        ("onnx", ["export", "MODEL", "--output", "out"], "train"),
        ("huggingface_hub", ["push", "MODEL", "owner/name"], "evaluate"),
        ("mcp", ["mcp"], "mcp"),
        ("uvicorn", ["mcp", "--http"], "mcp"),
    ],
)
def test_commands_say_what_is_missing_before_they_read_anything(
    without, module, arguments, extra, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "MODEL").mkdir()
    (tmp_path / "MODEL" / "modules.json").write_text("[]")
    without(module)
    # There is no data set: it is not looked for, and nothing is written.
    assert main(arguments) == 1
    err = capsys.readouterr().err.splitlines()[-1]
    assert module in err
    assert f"pip install 'skillret[{extra}]', in a checkout pip install '.[{extra}]'" in err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["MODEL", "home"]


def test_evaluate_says_it_too(without):
    without("pytrec_eval")
    with pytest.raises(MissingExtraError, match="evaluation needs pytrec_eval"):
        evaluate("no-such-data-set")


def test_the_docs_name_the_same_torch(without):
    without("torch")
    with pytest.raises(MissingExtraError) as e:
        require("train", "training", ("torch",))
    command = str(e.value).partition("first ")[2]
    assert f"`{command}`" in (ROOT / "docs" / "training.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["search", "calibrate"])
def test_what_needs_no_extra_works_without(without, command, library, capsys):
    without("torch", "sentence_transformers", "pytrec_eval", "matplotlib", "pyarrow", "bm25s")
    without("huggingface_hub", "datasets", "onnx", "jinja2", "accelerate", "transformers")
    if command == "search":
        assert main(["search", "pods restart", "--library", str(library)]) == 0
    else:
        main(["calibrate", str(library)])
        assert "pip install" not in capsys.readouterr().err
