import json

import pytest
from tests.cli.test_search import fails, run

from skillret.settings import FILE


@pytest.fixture
def project(tmp_path, library, home, monkeypatch):
    """A repository with skills, where its user is."""
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    (folder / ".claude").mkdir()
    library.rename(folder / ".claude" / "skills")
    (home / ".config" / "skillret").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def test_the_effective_settings_and_where_each_comes_from(project, home, capsys, monkeypatch):
    own = home / ".config" / "skillret" / FILE
    own.write_text('hide = ["subtitles"]\nroots = ["~/gone"]\n')
    (project / FILE).write_text('hide = ["draft-*"]\nmodel = "evil"\n')
    monkeypatch.setenv("SKILLRET_LIMIT", "3")
    status, out, err = run(capsys, "config")
    assert status == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == f"roots ~/gone (~/.config/skillret/{FILE})"
    assert lines[1] == f"hide draft-*, subtitles ({project / FILE} and ~/.config/skillret/{FILE})"
    assert lines[2:5] == [
        "agents all (default)",
        "threshold the model's own (default)",
        "limit 3 (SKILLRET_LIMIT)",
    ]
    assert "no such folder: ~/gone" in err
    assert "model is not taken from a project's file" in err
    _, out, _ = run(capsys, "config", "--json")
    document = json.loads(out)
    assert document["settings"]["hide"]["from"] == [str(project / FILE), str(own)]
    assert document["settings"]["model"] == {"value": None, "from": []}
    assert document["files"][1] == {"path": str(own), "exists": True}
    assert len(document["remarks"]) == 2


def test_an_agent_that_there_is_not_is_refused_as_by_a_search(project, capsys, monkeypatch):
    monkeypatch.setenv("SKILLRET_AGENTS", "Claude, foo")
    refused = "SKILLRET_AGENTS: agents: unknown agent 'foo'"
    assert refused in fails(capsys, "config")
    assert refused in fails(capsys, "config", "--json")
    assert refused in fails(capsys, "search", "x")
    monkeypatch.delenv("SKILLRET_AGENTS")
    (project / FILE).write_text('agents = ["claud-code"]\n')
    assert "did you mean claude-code?" in fails(capsys, "config")
    (project / FILE).write_text('agents = ["claude"]\n')
    assert run(capsys, "config")[0] == 0


def names(capsys, *arguments):
    _, out, _ = run(capsys, "search", "pods crash", "-k", "9", "--json", *arguments)
    return {hit["name"] for hit in json.loads(out)["hits"]}


def test_hidden_skills_are_in_no_search_of_the_usual_places(project, capsys, monkeypatch):
    every = names(capsys)
    (project / FILE).write_text('hide = ["Kubernetes-*", "none-*"]\n')
    assert names(capsys) == every - {"kubernetes-debugging"}
    folder = str(project / ".claude" / "skills")
    assert names(capsys, "--library", folder) == every
    monkeypatch.setenv("SKILLRET_HIDE", "none")
    assert names(capsys) == every
    monkeypatch.setenv("SKILLRET_HIDE", "*")
    assert "`hide` of the settings leaves out 4 skills" in fails(capsys, "search", "x")


def test_the_index_of_the_usual_places_is_that_of_a_search(project, capsys):
    (project / FILE).write_text('hide = ["meal-*"]\n')
    run(capsys, "index", "build")
    _, _, err = run(capsys, "search", "pods")
    assert err == ""
    _, out, _ = run(capsys, "index", "list")
    assert len(out.splitlines()) == 3
    run(capsys, "index", "update")
    assert names(capsys) == {"kubernetes-debugging", "pdf-tables", "release-notes"}


def test_more_roots_limit_threshold_and_model(project, home, capsys, monkeypatch):
    (project / ".claude" / "skills" / "pdf-tables").rename(project / "pdf-tables")
    (project / FILE).write_text('roots = ["pdf-tables"]\nlimit = 2\nthreshold = 1.0\n')
    _, out, _ = run(capsys, "search", "tables of a PDF", "--json")
    hits = json.loads(out)["hits"]
    assert len(hits) == 2
    assert hits[0]["name"] == "pdf-tables"
    _, out, _ = run(capsys, "search", "tables of a PDF", "--select", "--json")
    assert json.loads(out)["threshold"] == 1.0
    assert json.loads(out)["hits"] == []
    monkeypatch.setenv("SKILLRET_MODEL", "./nowhere")
    said = "skillret: SKILLRET_MODEL: model: no model folder ./nowhere"
    assert fails(capsys, "search", "x") == said
    assert fails(capsys, "index", "build") == said
    status, _, _ = run(capsys, "search", "pods", "--model", "default")
    assert status == 0


def test_a_model_that_is_not_there_is_said_with_the_file_that_names_it(project, home, capsys):
    file = home / ".config" / "skillret" / FILE
    file.write_text('model = "/nowhere"\n')
    said = "~/.config/skillret/skillret.toml: model: no model folder /nowhere"
    for command in (("search", "x"), ("index", "build"), ("index", "update"), ("doctor",)):
        assert said in fails(capsys, *command)
    assert fails(capsys, "search", "x", "--model", "/no") == "skillret: no model folder /no"


def test_settings_that_are_wrong_are_one_line(project, capsys):
    (project / FILE).write_text('hidden = ["\x1b[31m"]\n')
    for command in (("config",), ("search", "x"), ("index", "build")):
        line = fails(capsys, *command)
        assert line.startswith(f"skillret: {project / FILE}: not valid TOML: Illegal character")
    (project / FILE).write_text('hidden = ["a"]\n')
    assert fails(capsys, "config").endswith("unknown key 'hidden'; did you mean hide?")
