"""Docs cannot drift: their examples run."""

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from skillret.cli import main
from tests.conftest import ROOT
from tests.training.conftest import make_bert

_BLOCK = re.compile(
    r"(?P<skip><!-- no test[^\n]*-->\n)?```(?P<kind>\w+)\n(?P<code>.*?)```", re.DOTALL
)
AGENTS = sorted((ROOT / "docs" / "agents").glob("*.md"))
FILES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *AGENTS,
    *sorted((ROOT / "benchmarks").glob("*.md")),
    ROOT / "src" / "skillret" / "encoders" / "default" / "README.md",
]


def blocks(kind):
    return [
        pytest.param(m["code"], id=f"{file.relative_to(ROOT)}-{number}")
        for file in FILES
        if file not in AGENTS
        for number, m in enumerate(_BLOCK.finditer(file.read_text(encoding="utf-8")))
        if m["kind"] == kind and not m["skip"]
    ]


def link_folders(tmp_path):
    for name in ("examples", "recipes"):
        (tmp_path / name).symlink_to(ROOT / name)


@pytest.mark.parametrize("code", blocks("python"))
def test_python_blocks_run(code, tmp_path):
    link_folders(tmp_path)  # what is written there does not meet a later version
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True)


@pytest.mark.parametrize("code", blocks("sh"))
def test_commands_run(code, tmp_path, monkeypatch, capsys, request):
    monkeypatch.chdir(tmp_path)
    if "skillret install" in code:  # into a home of its own, where one agent is
        (request.getfixturevalue("home") / ".claude").mkdir()
    link_folders(tmp_path)
    if "skillret train" in code:
        make_bert(tmp_path / "base", positions=512).rename(tmp_path / "all-MiniLM-L6-v2")
        # What eight bits cost a tiny model with random weights says nothing.
        monkeypatch.setattr("skillret.training.verify.refuse_loss", lambda agreement: None)
        agreement = "skillret.training.reranker.export.RerankAgreement.refuse_loss"
        monkeypatch.setattr(agreement, lambda self: None)
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["skillret"]:
            assert main(words[1:]) == 0, line
        elif words[:1] == ["make"]:
            assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), line


_STEP = re.compile(r"```sh\n(?P<code>.*?)```(?:\n\n```(?:text|json)\n(?P<out>.*?)```)?", re.DOTALL)


@pytest.mark.skipif(os.name == "nt", reason="a shell's own commands are among them")
@pytest.mark.parametrize("page", AGENTS, ids=lambda page: page.stem)
def test_a_page_of_an_agent_leads_from_nothing_to_a_named_skill_and_back(page, home, tmp_path):
    """As it is written there, and what is shown is what is printed."""
    shim = tmp_path / "bin" / "skillret"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m skillret "$@"\n')
    shim.chmod(0o755)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    environment = {
        **os.environ,
        "PATH": f"{shim.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "SKILLRET_WARM": "0",
        "SKILLRET_HOOK_SECONDS": "60",
        "COLUMNS": "100",
    }
    for step in _STEP.finditer(page.read_text(encoding="utf-8")):
        done = subprocess.run(
            ["sh", "-e", "-c", step["code"]],
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        printed = done.stdout.replace(str(home), "/home/you").replace(str(tmp_path), "~/project")
        assert _bare(printed) == _bare(step["out"] or ""), step["code"]
    ours = (".copilot/skills", ".local", ".cache", "skills/scanned-pdf-to-spreadsheet")
    left = [str(f.relative_to(home)) for f in home.rglob("*") if f.is_file()]
    assert [f for f in left if not any(name in f for name in ours)] == []
    assert not (tmp_path / "AGENTS.md").exists()


def _bare(text):
    """Without white space, numbers, and where the program is."""
    text = re.sub(
        r"(\S*/)?(skillret|python[0-9.]*)( -m skillret)?(?= (mcp|hook))", "skillret", text
    )
    return re.sub(r"\s|[0-9]", "", text)


def test_what_the_docs_ask_a_service_is_answered(tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    text = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
    asked = re.findall(
        r"<!-- no test: asks a service -->\n```(\w+)\n(.*?)```", text, flags=re.DOTALL
    )
    assert len(asked) >= 4
    library = str(ROOT / "examples" / "skills")
    command = ["serve", "--port", "0", "--library", library, "--data", str(tmp_path / "data")]
    with subprocess.Popen(
        [sys.executable, "-m", "skillret", *command], stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            url = re.search(r"http://\S+:[0-9]+", server.stderr.readline())[0]
            for kind, code in asked:
                code = code.replace("http://127.0.0.1:8377", url)
                code = code.replace("curl -s", "curl -s --fail-with-body --retry 60")
                run = [sys.executable, "-c"] if kind == "python" else ["bash", "-ec"]
                done = subprocess.run([*run, code], cwd=ROOT, capture_output=True, text=True)
                assert done.returncode == 0, code + done.stdout + done.stderr
                assert done.stdout
        finally:
            server.terminate()
            server.communicate()
    assert server.returncode == 0


def test_the_examples_run(capsys):
    for name in ("demo.py", "quickstart.py"):
        out = subprocess.run(
            [sys.executable, str(ROOT / "examples" / name)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        assert "scanned-pdf-to-spreadsheet" in out


def test_the_first_command_answers_in_the_checkout_on_an_empty_home(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    if not (ROOT / ".agents" / "skills").is_dir():
        pytest.skip("a checkout without symbolic links")
    assert main(["search", "turn this scanned PDF into a spreadsheet", "-k", "1"]) == 0
    assert "scanned-pdf-to-spreadsheet" in capsys.readouterr().out


def test_links_lead_somewhere():
    for file in FILES:
        for target in re.findall(r"\]\(([^)#]+)\)", file.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (file.parent / target).exists(), f"{file.relative_to(ROOT)}: {target}"


def test_every_key_of_a_recipe_is_in_the_docs():
    from skillret.training.recipe import Recipe
    from skillret.training.sections import KINDS

    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    sections = [item for kind in KINDS for item in Recipe("x", kind).to_json().items()]
    for section, keys in sections:
        if section not in ("name", "kind"):
            (row,) = re.findall(rf"^\| `{section}` \|(.*)\|$", text, re.MULTILINE)
            assert [k for k in keys if f"`{k}`" not in row] == [], section


def test_every_place_of_every_agent_is_in_the_docs_in_its_order():
    from skillret.skills.agents import AGENTS

    text = (ROOT / "docs" / "places.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z][a-z-]*)` \|(.*)\|$", text, re.MULTILINE))
    assert list(rows) == [agent.name for agent in AGENTS]
    for agent in AGENTS:
        places, parents, invoked, moved = rows[agent.name].split("|")
        expected = [
            place
            for scope, place in agent.places
            if scope not in ("plugin", "extension", "enterprise")
        ]
        assert re.findall(r"`(.*?)`", places) == expected, agent.name
        kinds = {scope for scope, _ in agent.places}
        for kind, word in (("plugin", "plugins"), ("extension", "ext"), ("enterprise", "enter")):
            assert (kind in kinds) == (word in places), agent.name
        assert ("equal names" in places) == (not agent.shadows)
        up = {True: "yes", False: "no"}[agent.parents] if "project" in kinds else ""
        assert parents.strip() == up, agent.name
        assert invoked.split(",")[0].strip() == agent.invoked_by
        assert set(re.findall(r"`(.*?)`", moved)) == {variable for variable, _ in agent.moved_by}


def test_every_example_skill_is_valid():
    from skillret import Library

    library = Library.open(ROOT / "examples" / "skills")
    assert library.diagnostics == []
    assert len(library) >= 40


def test_the_readme_s_first_answer_is_what_is_printed(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    arguments = ["--library", str(ROOT / "examples" / "skills"), "-k", "1", "--explain"]
    main(["search", "turn this scanned PDF into a spreadsheet", *arguments])
    printed = capsys.readouterr().out.replace(str(ROOT), "...")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    # Without the figures: they depend on the processor and on the other examples.
    assert _masked(printed) in _masked(readme)


def _masked(text):
    return " ".join(re.sub(r"[0-9]+\.[0-9]+", "#", text).split())
