import io
import json
import os
import re
import sys
from dataclasses import replace

import pytest
from tests.conftest import fill, write_skill

from skillret import Library, load_encoder
from skillret.cli import COMMANDS, main
from skillret.retrieval.calibration import load_calibration


def run(capsys, *arguments):
    status = main(list(arguments))
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return status, out, err


def fails(capsys, *arguments):
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (1, "")
    (line,) = err.splitlines()
    assert line.startswith("skillret: ")
    return line


def test_the_first_command_of_a_user(library, monkeypatch, capsys, tmp_path):
    """In a project with skills: finds them, builds the index, says so on stderr, answers."""
    project = tmp_path / "project"
    (project / ".claude").mkdir(parents=True)
    (project / ".git").mkdir()
    library.rename(project / ".claude" / "skills")
    monkeypatch.chdir(project)
    status, out, err = run(capsys, "search", "which of my pods keeps crashing?")
    assert status == 0
    assert out.startswith(" 1. kubernetes-debugging")
    assert str(project / ".claude" / "skills" / "kubernetes-debugging" / "SKILL.md") in out
    assert "building the index of 4 skills" in err
    status, out, err = run(capsys, "search", "which of my pods keeps crashing?")
    assert (status, err) == (0, "")


def test_json_is_the_contract_and_alone_on_stdout(library, capsys):
    status, out, err = run(capsys, "search", "pods", "--library", str(library), "-k", "2", "--json")
    document = json.loads(out)
    assert status == 0
    assert list(document) == ["query", "mode", "model", "took_ms", "hits"]
    assert (document["query"], document["mode"]) == ("pods", "hybrid")
    assert document["took_ms"] > 0
    assert len(document["hits"]) == 2
    assert list(document["hits"][0]) == ["rank", "id", "name", "description", "path", "score"]
    assert "building" in err


def test_a_selection_as_json_says_how_sure_it_is(library, capsys):
    arguments = ("--library", str(library), "--select", "--json")
    found = {}
    for query in ("find out why my pods crash", "thanks, that was all"):
        status, out, _ = run(capsys, "search", query, *arguments)
        found[query] = json.loads(out)
        assert status == 0
        assert list(found[query])[4:] == ["hits", "need", "threshold", "missing"]
    needed, idle = found.values()
    assert [h["name"] for h in needed["hits"]] == ["kubernetes-debugging"]
    assert needed["need"] >= needed["threshold"] == idle["threshold"] > idle["need"]
    assert idle["hits"] == needed["missing"] == idle["missing"] == []


def test_what_no_skill_does_is_said(library, capsys):
    port, base = "migrate our Oracle stored procedures to BigQuery", ("--library", str(library))
    query = f"find out why my pods crash and {port}"
    for way in ((), ("--select",)):
        _, out, _ = run(capsys, "search", query, *base, *way)
        assert out.splitlines()[-2] == f"no skill here does this: {port}"
    _, out, _ = run(capsys, "search", query, *base, "--select", "--json")
    assert json.loads(out)["missing"] == [port]
    _, out, _ = run(capsys, "search", port, *base)
    assert out.startswith("no skill here does what is asked; nearest:")
    _, out, err = run(capsys, "search", port, *base, "--select")
    assert (out, "no skill of this library seems to do what is asked" in err) == ("", True)


def test_an_empty_selection_says_why_and_names_the_nearest(library, capsys):
    arguments = ("--library", str(library), "--select")
    status, out, err = run(capsys, "search", "thanks, that was all", *arguments)
    assert (status, out) == (0, "")
    last = err.splitlines()[-1]
    assert "no skill seems to be needed (probability that one is: 0." in last
    assert len(last.partition("the nearest: ")[2].partition(";")[0].split(", ")) == 3


def test_a_folder_behind_the_request_is_pointed_out(library, capsys):
    _, _, err = run(capsys, "search", "pods", str(library), "--index", str(library / "none.db"))
    assert f"to look there: --library {library}" in err.splitlines()[0]


def test_explain_shows_words_and_sentences(library, capsys):
    query = "It was a long day. The pods crash."
    arguments = ("search", query, "--library", str(library), "-k", "1", "--explain")
    _, out, _ = run(capsys, *arguments)
    assert re.search(r"; tokens 0\.\d{3}; words: ", out)
    assert 'most of it from: "The pods crash."' in out
    _, out, _ = run(capsys, *arguments, "--json")
    (hit,) = json.loads(out)["hits"]
    assert {t["term"] for t in hit["terms"]} == {"pods", "crash"}
    assert hit["sentences"][0]["sentence"] == "The pods crash."
    assert hit["excluded"] == 0
    assert 0 < hit["tokens"] <= 1


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_modes_and_many_hits(library, capsys, mode):
    arguments = (
        "search",
        "pods",
        "--library",
        str(library),
        "--mode",
        mode,
        "-k",
        "10000",
        "--json",
    )
    status, out, _ = run(capsys, *arguments)
    assert status == 0
    hits = json.loads(out)["hits"]
    assert len(hits) == (1 if mode == "lexical" else 4)


def test_a_request_from_stdin(library, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("pods\n"))
    status, out, _ = run(capsys, "search", "-", "--library", str(library), "-k", "1")
    assert status == 0
    assert "kubernetes-debugging" in out


def test_a_request_without_quotes(library, capsys):
    arguments = ("--library", str(library), "--json")
    _, quoted, _ = run(capsys, "search", "why do pods crash", *arguments)
    status, out, _ = run(capsys, "search", "why", "do", "pods", "crash", *arguments)
    assert status == 0
    assert json.loads(out)["hits"] == json.loads(quoted)["hits"]


@pytest.mark.parametrize(
    "request_",
    ["word " * 20_000, "容器不断重启", "🎉🔥", "caf\udce9", "-- --", "'\";DROP TABLE skills"],
)
def test_odd_requests(library, capsys, request_):
    status, out, _ = run(capsys, "search", "--library", str(library), "--json", "--", request_)
    assert status == 0
    assert json.loads(out)["hits"]


def test_lexical_without_a_shared_word_says_so(library, capsys):
    status, out, err = run(
        capsys, "search", "zebra", "--library", str(library), "--mode", "lexical"
    )
    assert (status, out) == (0, "")
    assert "no skill shares a word" in err


@pytest.mark.parametrize("value", ["0", "-3", "many", "1.5"])
def test_an_impossible_k_is_a_usage_error(library, capsys, value):
    with pytest.raises(SystemExit) as e:
        main(["search", "pods", "--library", str(library), "-k", value])
    assert e.value.code == 2
    assert "whole number of at least 1" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["search"], ["invented"], ["search", "x", "--mode", "y"]])
def test_usage_errors_exit_with_2(capsys, arguments):
    with pytest.raises(SystemExit) as e:
        main(arguments)
    assert e.value.code == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(capsys, command):
    with pytest.raises(SystemExit) as e:
        main([command, "--help"])
    assert e.value.code == 0
    assert f"skillret {command}" in capsys.readouterr().out.split("example", 1)[1]


def test_bad_input_is_one_line_and_exit_1(library, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lib = ("--library", str(library))
    assert "query is empty" in fails(capsys, "search", "  ", *lib)
    assert "no such folder" in fails(capsys, "search", "x", "--library", str(tmp_path / "no"))
    assert "no skills found" in fails(capsys, "search", "x")
    assert "name of a folder is empty" in fails(capsys, "search", "x", "--library", "")
    assert "no index at" in fails(capsys, "search", "x", "--index", str(tmp_path / "no.db"))
    assert "no model folder" in fails(capsys, "search", "x", *lib, "--model", "./nowhere")
    file = tmp_path / "text.db"
    file.write_text("no database " * 500)
    assert "give another --index" in fails(capsys, "search", "x", "--index", str(file))


def _index(folder, library):
    path = folder / "given.db"
    if not path.exists():
        assert main(["index", "build", "--library", str(library), "--index", str(path)]) == 0
    return path


def test_an_index_of_another_encoder_names_the_remedy(library, tmp_path, capsys):
    path = tmp_path / "other.db"
    fill(path, Library.open(library).skills).close()
    line = fails(capsys, "search", "pods", "--index", str(path))
    assert "hash-seed" in line
    assert "skillret index build" in line


def test_an_index_given_by_name_is_searched_as_it_is(library, tmp_path, capsys):
    path = _index(tmp_path, library)
    capsys.readouterr()
    write_skill(library, "tax-return", "Fill in a tax return.")
    arguments = ("search", "tax return", "--index", str(path), "-k", "9", "--json")
    _, out, _ = run(capsys, *arguments)
    assert len(json.loads(out)["hits"]) == 4
    _, out, _ = run(capsys, *arguments, "--library", str(library))
    assert len(json.loads(out)["hits"]) == 5


def test_hostile_skills_cannot_write_to_the_terminal(library, capsys):
    write_skill(library, "evil", '"\\e[2J\\e]0;owned\\a pods \\u202E gnirts"', "pods pods pods")
    (library / "evil" / "SKILL.md").write_text(
        '---\nname: "ev\\e[31mil"\ndescription: "\\e[2J\\a pods \\u202E pods"\n---\npods\n'
    )
    arguments = ("search", "pods \x1b[31m", "--library", str(library), "--explain")
    status, out, err = run(capsys, *arguments)
    assert status == 0
    assert "ev" in out
    for text in (out, err):
        assert not {"\x1b", "\a", "\u202e"} & set(text)


@pytest.mark.parametrize("columns", ["0", "1", "1000"])
def test_any_width_of_the_terminal(library, capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((int(columns), 0)))
    status, out, _ = run(capsys, "search", "pods", "--library", str(library), "--explain")
    assert status == 0
    assert max(len(line) for line in out.splitlines() if "SKILL.md" not in line) <= 120


def test_an_internal_error_is_one_line_too(capsys, monkeypatch):
    def explode(_):
        raise RecursionError("too deep\nand wide")

    monkeypatch.setattr("skillret.cli.search.run", explode)
    assert "internal error: RecursionError: too deep and wide" in fails(capsys, "search", "x")


def test_a_panic_of_a_rust_library_is_one_line_too(capsys, monkeypatch):
    class PanicException(BaseException):
        """As in pyo3: not an Exception."""

    def panic(_):
        raise PanicException("index out of bounds")

    monkeypatch.setattr("skillret.cli.search.run", panic)
    assert "PanicException: index out of bounds" in fails(capsys, "search", "x")


def test_an_empty_index_says_that_it_is_empty(tmp_path, capsys, library):
    path = _index(tmp_path, library)
    names = ("pdf-tables", "kubernetes-debugging", "release-notes", "meal-planner")
    run(capsys, "index", "remove", *names, "--index", str(path))
    status, out, err = run(capsys, "search", "pods", "--index", str(path))
    assert (status, out) == (0, "")
    assert err == "skillret: this index holds no skills\n"


def test_a_filter_on_metadata(library, capsys):
    for name, team in (("a", "red"), ("b", "blue"), ("c", "red")):
        file = write_skill(library, name, f"Find out why pods crash, {name}.")
        text = file.read_text().replace("---\n\n", f"metadata:\n  team: {team}\n  n: 2\n---\n\n")
        file.write_text(text)
    base = ("search", "why do pods crash", "--library", str(library), "--json", "-k", "9")
    for where, names in (
        (["team=red"], {"a", "c"}),
        (["team=red", "team=blue"], {"a", "b", "c"}),
        (["team=blue", "n=2"], {"b"}),
        (["team=yellow"], set()),
    ):
        options = [option for condition in where for option in ("--where", condition)]
        _, out, _ = run(capsys, *base, *options)
        hits = json.loads(out)["hits"]
        assert {h["name"] for h in hits} == names
        assert all(h["metadata"]["n"] in (2, "2") for h in hits)
    _, out, _ = run(capsys, *base, "--select", "--where", "team=blue")
    assert {h["name"] for h in json.loads(out)["hits"]} <= {"b"}
    plain = tuple(option for option in base if option != "--json")
    for options in ((), ("--select",), ("--mode", "lexical")):
        _, out, err = run(capsys, *plain, *options[:2], "--where", "team=yellow")
        last = "skillret: no skill has metadata as --where asks for: team=yellow"
        assert (out, err.splitlines()[-1]) == ("", last)
    for near, right in (("team=bleu", "blue"), ("taem=red", "team")):
        _, _, err = run(capsys, *plain, "--where", near)
        assert err.splitlines()[-1].endswith(f"asks for: {near}; did you mean {right}?")
    _, _, err = run(capsys, "search", "zebra", *plain[2:4], "--mode", "lexical", "--where", "n=2")
    assert "no skill shares a word" in err
    for condition in ("team", "=red"):
        assert f"takes NAME=VALUE, got {condition!r}" in fails(capsys, *base, "--where", condition)


def test_another_calibration_may_be_named(library, tmp_path, capsys):
    packaged = load_calibration(load_encoder())
    replace(packaged, threshold=1.0).save(tmp_path / "strict.json")
    base = ("search", "find out why my pods crash", "--library", str(library))
    options = ("--select", "--json", "--calibration")
    _, out, _ = run(capsys, *base, *options, str(tmp_path / "strict.json"))
    assert (json.loads(out)["hits"], json.loads(out)["threshold"]) == ([], 1.0)
    _, _, err = run(capsys, *base, *options, str(tmp_path / "strict.json"))
    assert err == ""  # no index is built anew for it
    assert "No such file" in fails(capsys, *base, *options, str(tmp_path / "no.json"))
    line = fails(capsys, *base, "--mode", "dense", "--calibration", "x.json")
    assert line == "skillret: --calibration works in hybrid mode, not with --mode dense"


@pytest.mark.parametrize(
    "query",
    ["-k flag of kubectl", "--help me plan", "-h flag", "--json\noutput", "--json: what?  "],
)
def test_a_query_may_begin_like_an_option(query, library, capsys):
    for arguments in ((query, "--json", "-k", "1"), ("--json", "-k1", "--", query)):
        status, out, _ = run(capsys, "search", "--library", str(library), *arguments)
        assert status == 0
        document = json.loads(out)
        assert document["query"].split() == query.split()
        assert len(document["hits"]) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["serch", "x"], "there is no command 'serch'; did you mean search?"),
        (["make a table"], 'to find skills: skillret search "QUERY"'),
        (["index", "biuld"], "there is no action 'biuld'; did you mean build?"),
        (["search", "x", "--mode", "hybird"], "there is no 'hybird'; did you mean hybrid?"),
        (["search", "-k", "flag"], "goes behind --: skillret search -- QUERY"),
        (["search", "-kubectl"], "goes behind --: skillret search -- QUERY"),
        (["search", "--x"], "required: QUERY; a query that begins with a dash goes behind --"),
        (["search", "x", "--evil\x1b[31m\u202e"], "unknown argument --evil\ufffd[31m\ufffd;"),
        (["index", "list", "x" * 300], f"unknown argument {'x' * 100}"),
    ],
)
def test_what_is_misspelt_is_told_and_never_obeyed(arguments, told, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    last = capsys.readouterr().err.splitlines()[-1]
    assert told in last
    assert "\x1b" not in last


@pytest.mark.parametrize("k", ["0", "-3"])
def test_a_number_that_is_no_number_of_hits_is_no_query(capsys, k):
    with pytest.raises(SystemExit, match="2"):
        main(["search", "x", f"-k{k}"])
    assert capsys.readouterr().err.endswith(f"at least 1, got '{k}'\n")


def test_what_fits_is_shown_in_full_and_the_rest_in_a_line(library, capsys):
    base = ("--library", str(library))
    _, out, _ = run(capsys, "search", "find out why my pods crash", *base)
    lines = out.splitlines()
    assert lines[0].startswith(" 1. kubernetes-debugging  0.")
    assert lines[2].endswith("SKILL.md")
    assert [line[:3] for line in lines[3:-1]] == [" 2.", " 3.", " 4."]
    assert lines[-1] == "score: how likely it is that the query needs the skill, from 0 to 1"
    _, out, _ = run(capsys, "search", "thanks, that was all", *base)
    lines = " ".join(out.split())
    assert lines.startswith("nothing here fits well (probability that the query needs a skill of")
    assert "; nearest: 1. " in lines
    assert " 4. " not in lines
    _, out, _ = run(capsys, "search", "thanks, that was all", *base, "-k", "4")
    assert " 4. " in out
    _, out, _ = run(capsys, "search", "pods", *base, "--mode", "lexical")
    assert "score: BM25" in out


def test_what_fits_and_only_its_user_may_start_is_told(library, capsys):
    text = "Cut a new release of the shop. Tag, changelog, deploy."
    write_skill(library, "shop-release", f"{text}\ndisable-model-invocation: true")
    base = ("cut a new release of the shop", "--library", str(library))
    run(capsys, "search", *base)
    status, out, err = run(capsys, "search", *base)
    assert (status, err) == (0, "skillret: shop-release fits, but only you can start it\n")
    lines = out.splitlines()
    assert lines[0].startswith(" 1. shop-release  0.")
    assert lines[2].endswith("SKILL.md")
    told = (0, "", "skillret: shop-release fits, but only you can start it\n")
    assert run(capsys, "search", *base, "--select") == told


def test_what_is_selected_for_a_part_fits(library, capsys):
    query = "Find out why my pods crash. Also plan my meals and a shopping list for a week."
    _, out, _ = run(capsys, "search", query, "--library", str(library), "--select", "--json")
    selected = [hit["name"] for hit in json.loads(out)["hits"]]
    assert set(selected) == {"kubernetes-debugging", "meal-planner"}
    _, out, _ = run(capsys, "search", query, "--library", str(library))
    assert out.count("SKILL.md") == 2


def test_one_skill_is_singular(tmp_path, capsys):
    write_skill(tmp_path / "one", "pods", "Find out why pods crash.")
    status, _, err = run(capsys, "search", "pods", "--library", str(tmp_path / "one"))
    assert status == 0
    assert "building the index of 1 skill (once" in err
    assert ": 1 skill, 1 added" in err


def test_a_terminal_is_shown_colours_and_a_pipe_is_not(library, capsys, monkeypatch):
    arguments = ("search", "pods", "--library", str(library))
    assert "\x1b" not in run(capsys, *arguments)[1]
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[1mkubernetes-debugging\x1b[0m" in run(capsys, *arguments)[1]
    assert "\x1b" not in run(capsys, *arguments, "--json")[1]


def test_what_a_skill_is_not_for_is_explained(tmp_path, capsys):
    description = "Fill in PDF forms. Not for turning scans into spreadsheets."
    write_skill(tmp_path, "forms", description=description)
    query = "turning scans into spreadsheets"
    _, out, _ = run(capsys, "search", query, "--library", str(tmp_path), "--explain")
    assert re.search(r"of the query \d+% is what it is not for", " ".join(out.split()))
