"""The package as users import it."""

import os
import subprocess
import sys

import pytest

import skillret
from tests.conftest import ROOT


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)


def test_every_public_name_is_there():
    for name in skillret.__all__:
        assert getattr(skillret, name) is not None
    assert set(skillret.__all__) <= set(dir(skillret))


def test_importing_it_loads_nothing_and_its_packages_are_there():
    code = (
        "import sys; before = set(sys.modules); import skillret;"
        "assert not {'numpy', 'typing', 'dataclasses'} & (set(sys.modules) - before);"
        "print(skillret.encoders.DEFAULT_MODEL, skillret.index.Index is skillret.Index)"
    )
    assert python(code).stdout == "default True\n"


@pytest.mark.parametrize("telemetry", [{}, {"ORT_DISABLE_TELEMETRY": ""}])
def test_a_search_leaves_nothing_in_the_home_but_its_index_and_a_record(library, home, telemetry):
    """No device id and no queue of events: onnxruntime would report to its maker."""
    done = subprocess.run(
        [sys.executable, "-m", "skillret", "search", "pods", "--library", str(library)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"} | telemetry,
    )
    assert "kubernetes-debugging" in done.stdout
    found = {file.relative_to(home).parts[:4] for file in home.rglob("*") if file.is_file()}
    record = (".cache", "skillret", "weights.json")
    assert {parts[:3] for parts in found} - {record} == {(".local", "share", "skillret")}


def test_a_name_that_is_not_there_is_an_error():
    out = python("import skillret; skillret.nothing")
    assert "module 'skillret' has no attribute 'nothing'" in out.stderr


def test_a_type_checker_knows_the_names(tmp_path):
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text("from skillret import Retriever\nx: Retriever = Retriever.open()\n")
    bad.write_text("import skillret\nskillret.nothing()\n")
    checked = [
        subprocess.run(
            [sys.executable, "-m", "mypy", "--strict", "--no-incremental", str(file)],
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        for file in (good, bad)
    ]
    assert checked[0].returncode == 0, checked[0].stdout
    assert 'Module has no attribute "nothing"' in checked[1].stdout


def test_every_module_says_in_a_line_what_it_is_for():
    command = [sys.executable, ROOT / "scripts" / "module_map.py"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "says nothing" not in said
    assert "    retriever             " in said
    assert max(map(len, said.splitlines())) < 140
