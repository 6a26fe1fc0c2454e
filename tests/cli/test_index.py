import gzip
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.cli.test_search import fails, run
from tests.conftest import ROOT, SKILLS, write_skill

import skillret.encoders
from skillret import Index, Library
from skillret.index import Sources
from skillret.index.damage import kept_as
from skillret.index.sources import default_indexes


@pytest.fixture
def dataset(tmp_path):
    """A data set of four skills in SkillRet layout."""
    folder = tmp_path / "data-set" / "data" / "skills"
    folder.mkdir(parents=True)
    with gzip.open(folder / "train.jsonl.gz", "wt", encoding="utf-8") as file:
        for s in SKILLS:
            row = {"id": s.id, "name": s.name, "description": s.description, "skill_md": s.body}
            file.write(json.dumps({**row, "source_url": f"https://example.org/{s.id}"}) + "\n")
    return tmp_path / "data-set"


def test_build_update_status_list_remove_on_folders(library, tmp_path, capsys):
    index = ("--index", str(tmp_path / "i.db"))
    status, out, err = run(capsys, "index", "build", "--library", str(library), *index)
    assert (status, out) == (0, "")
    assert "4 skills, 4 added" in err
    assert "4 encoded" in err

    status, out, _ = run(capsys, "index", "status", *index, "--json")
    info = json.loads(out)
    assert (info["skills"], info["up_to_date"], info["roots"]) == (4, True, [str(library)])

    write_skill(library, "tax-return", "Fill in a tax return.")
    write_skill(library, "meal-planner", "Plan other meals.")
    _, out, err = run(capsys, "index", "status", *index)
    assert "skillret index update" in err
    assert "skills      4" in out

    _, _, err = run(capsys, "index", "update", *index)
    assert "5 skills, 1 added, 1 changed, 0 removed, 3 unchanged, 2 encoded" in err
    _, _, err = run(capsys, "index", "update", *index)
    assert "0 added, 0 changed, 0 removed, 5 unchanged, 0 encoded" in err

    _, out, _ = run(capsys, "index", "list", *index, "--json")
    listed = json.loads(out)
    assert [s["name"] for s in listed] == [
        "kubernetes-debugging",
        "meal-planner",
        "pdf-tables",
        "release-notes",
        "tax-return",
    ]
    _, out, _ = run(capsys, "index", "list", *index)
    assert len(out.splitlines()) == 5

    _, _, err = run(capsys, "index", "remove", "tax-return", listed[0]["id"], *index)
    assert "removed 2 skills" in err
    assert "no skill 'tax-return'" in fails(capsys, "index", "remove", "tax-return", *index)
    error = fails(capsys, "index", "remove", "release-ntoes", *index)
    assert "no skill 'release-ntoes' in this index; did you mean release-notes?" in error
    _, out, _ = run(capsys, "index", "status", *index, "--json")
    assert json.loads(out)["skills"] == 3


def test_all_skipped_skills_are_named_and_counted(library, tmp_path, capsys):
    for i in range(14):
        write_skill(library, f"broken{i}").write_text("no front matter")
    for i in range(13):
        write_skill(library, f"odd{i}", f"Do {i}.").parent.rename(library / f"renamed{i}")
    index = ("--index", str(tmp_path / "i.db"))
    _, _, err = run(capsys, "index", "build", "--library", str(library), *index)
    lines = err.splitlines()
    assert sum(": error: " in line for line in lines) == 14
    assert sum(": warning: " in line for line in lines) == 10
    assert "skillret: ... and 3 more remarks: --verbose names them" in lines
    assert lines[-1].endswith("; 14 skipped")
    _, _, err = run(capsys, "index", "build", "--verbose", "--library", str(library), *index)
    assert err.count(": warning: ") == 13
    _, _, err = run(capsys, "index", "update", *index)
    assert sum(": error: " in line for line in err.splitlines()) == 14
    assert "warning" not in err
    assert "remarks" not in err


def test_a_data_set_is_indexed_under_its_own_ids(dataset, tmp_path, capsys):
    index = ("--index", str(tmp_path / "i.db"))
    run(capsys, "index", "build", "--dataset", str(dataset), "--split", "train", *index)
    status, out, _ = run(capsys, "search", "crashing pods", *index, "-k", "1", "--json")
    assert status == 0
    (hit,) = json.loads(out)["hits"]
    assert hit["id"] == "kubernetes-debugging"
    assert hit["path"] == "https://example.org/kubernetes-debugging"
    _, _, err = run(capsys, "index", "update", *index)
    assert "0 encoded" in err
    _, out, _ = run(capsys, "index", "status", *index, "--json")
    assert (json.loads(out)["split"], json.loads(out)["up_to_date"]) == ("train", True)


def test_an_index_of_a_data_set_has_a_file_of_its_own(dataset, capsys):
    source = ("--dataset", str(dataset), "--split", "train")
    command = f"run `skillret index build {' '.join(source)}`"
    assert command in fails(capsys, "index", "status", *source)
    status, out, err = run(capsys, "index", "build", *source)
    assert (status, out) == (0, "")
    built, hint = err.splitlines()
    path = built.split()[2]
    assert hint == f'skillret: search it with: skillret search "..." --index {path}'
    _, out, _ = run(capsys, "search", "crashing pods", "--index", path, "-k", "1")
    assert "kubernetes-debugging" in out
    _, out, _ = run(capsys, "index", "status", *source, "--json")
    assert json.loads(out)["index"] == os.path.expanduser(path)  # noqa: PTH111
    _, out, _ = run(capsys, "index", "list", *source)
    assert "meal-planner\tmeal-planner\thttps://example.org/meal-planner" in out.splitlines()
    with gzip.open(dataset / "data" / "skills" / "train.jsonl.gz", "at") as file:
        file.write('{"id": "new", "name": "new", "skill_md": "Something new."}\n')
    _, _, err = run(capsys, "index", "status", *source)
    assert "data set has changed" in err
    _, _, err = run(capsys, "index", "update", *source)
    assert "5 skills, 1 added" in err
    _, _, err = run(capsys, "index", "remove", "new", *source)
    assert "removed 1 skill;" in err
    assert "run `skillret index build --dataset" in fails(
        capsys, "index", "list", *source[:2], "--split", "x"
    )
    dataset.rename(dataset.with_name("moved"))  # an index outlives its data set
    _, out, err = run(capsys, "index", "status", "--index", path)
    assert "data set has changed" in err
    assert "no such data set" in fails(capsys, "index", "update", "--index", path)


def test_sources_that_contradict_each_other_are_refused(dataset, library, tmp_path, capsys):
    lib, data = ("--library", str(library)), ("--dataset", str(dataset))
    assert "not both" in fails(capsys, "index", "build", *lib, *data)
    assert "--dataset DIR as well" in fails(capsys, "index", "build", *lib, "--split", "dev")
    for action in ("update", "status", "list"):
        for source in (lib, data):
            line = fails(capsys, "index", action, "--index", "i.db", *source)
            assert "give either --index or" in line


def test_rows_that_are_no_unicode_are_mended_and_bombs_refused(dataset, tmp_path, capsys):
    index = ("--index", str(tmp_path / "i.db"))
    file = dataset / "data" / "skills" / "train.jsonl"
    (dataset / "data" / "skills" / "train.jsonl.gz").unlink()
    file.write_text(
        '{"id": "a\\ud800", "name": "\\ud83c\\udf89", "skill_md": "half \\udc00"}\n'
        '{"id": "b\\u001b[2J\\n", "name": "x\\u0000", "skill_md": "y"}\n'
    )
    status, _, _ = run(capsys, "index", "build", "--dataset", str(dataset), *index)
    assert status == 0
    _, out, _ = run(capsys, "index", "list", *index, "--json")
    assert [(s["id"], s["name"]) for s in json.loads(out)] == [("b\x1b[2J\n", "x\0"), ("a?", "🎉")]
    _, out, _ = run(capsys, "index", "list", *index)
    assert not {"\x1b", "\0"} & set(out)
    assert len(out.splitlines()) == 2
    file.write_text('{"id": "a", "name": ' + "[" * 100_000 + "]" * 100_000 + "}\n")
    line = fails(capsys, "index", "build", "--dataset", str(dataset), *index)
    assert "line 1: not JSON (nested too deeply)" in line
    file.write_text("")
    assert "holds no skill" in fails(capsys, "index", "build", "--dataset", str(dataset), *index)


def test_bad_data_sets_are_one_clear_line(dataset, tmp_path, capsys):
    build = ("index", "build", "--index", str(tmp_path / "i.db"), "--dataset")
    assert "no such data set" in fails(capsys, *build, str(tmp_path / "no"))
    (tmp_path / "empty").mkdir()
    assert "is no data set: it has neither" in fails(capsys, *build, str(tmp_path / "empty"))
    line = fails(capsys, *build, str(dataset), "--split", "test")
    assert "no split 'test'; it has: train" in line
    file = dataset / "data" / "skills" / "train.jsonl.gz"
    file.write_bytes(file.read_bytes()[:-20])
    assert "is it complete?" in fails(capsys, *build, str(dataset))
    file.unlink()
    plain = file.with_suffix("")
    plain.write_text('{"id": "a", "name": "b"}\n{"id": 1}\n')
    assert "row 2: the column 'name' is missing" in fails(capsys, *build, str(dataset))
    plain.write_text("{]\n")
    assert "line 1: not JSON" in fails(capsys, *build, str(dataset))


def test_build_says_what_was_odd_and_refuses_nothing_at_all(library, tmp_path, capsys):
    index = ("--index", str(tmp_path / "i.db"))
    (library / "pdf-tables" / "SKILL.md").write_text("nothing here")
    _, _, err = run(capsys, "index", "build", "--library", str(library), *index)
    assert "error: " in err
    assert "no front matter" in err
    assert "3 skills" in err
    empty = tmp_path / "empty"
    empty.mkdir()
    line = fails(capsys, "index", "build", "--library", str(empty), *index)
    assert "no skills found in" in line
    with Index.open(tmp_path / "i.db") as opened:
        assert opened.info().skills == 3


def test_status_before_a_build_names_it(library, capsys):
    line = fails(capsys, "index", "status", "--library", str(library))
    assert "skillret index build" in line


def test_a_name_that_two_skills_have_needs_an_id(library, tmp_path, capsys):
    index = ("--index", str(tmp_path / "i.db"))
    write_skill(library / "other", "pdf-tables", "Another.", "Another.")
    run(capsys, "index", "build", "--library", str(library), *index)
    line = fails(capsys, "index", "remove", "pdf-tables", *index)
    assert "names 2 skills, give an id: pdf-tables@" in line


def test_a_path_that_is_no_unicode_is_refused(library, tmp_path, capsys):
    index = ("--index", str(tmp_path / "caf\udce9.db"))
    assert "is not UTF-8" in fails(capsys, "index", "build", "--library", str(library), *index)
    assert list(tmp_path.glob("*.db*")) == []


def test_a_model_that_cannot_be_loaded_leaves_no_file(library, tmp_path, capsys):
    index = ("--index", str(tmp_path / "i.db"))
    arguments = ("--library", str(library), *index, "--model", "./nowhere")
    assert "no model folder" in fails(capsys, "index", "build", *arguments)
    assert list(tmp_path.glob("i.db*")) == []


def test_whoever_waits_for_another_writer_is_told_so(library, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("skillret.retrieval.refresh._PATIENCE", 0)
    path = tmp_path / "i.db"
    with Index.open(path, create=True) as other, ExitStack() as lock:
        lock.enter_context(other.store.writing())
        said = []

        def note(message):
            said.append(message)
            lock.close()  # the other writer is done

        monkeypatch.setattr("skillret.cli.index.note", note)
        monkeypatch.setattr("skillret.cli.index_told.note", note)
        assert (
            run(capsys, "index", "build", "--library", str(library), "--index", str(path))[0] == 0
        )
    assert said[0] == "another process is writing this index; waiting for it"
    assert "4 encoded" in said[1]


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
def test_progress_is_shown_on_a_terminal_and_only_there(library, tmp_path):
    import pty

    command = [sys.executable, "-m", "skillret", "index", "build", "--library", str(library)]
    ours, theirs = pty.openpty()
    subprocess.run([*command, "--index", tmp_path / "a.db"], stderr=theirs, cwd=ROOT, check=True)
    shown = os.read(ours, 100_000).decode()
    for end in (ours, theirs):
        os.close(end)
    assert "encoding:   0%" in shown
    assert "0/4" in shown
    assert "built " in shown
    out = subprocess.run(
        [*command, "--index", tmp_path / "b.db"], capture_output=True, text=True, cwd=ROOT
    )
    assert "encoding" not in out.stderr
    assert len(out.stderr.splitlines()) == 1


_SLOW_BUILD = """
    import signal, sys, time
    import skillret.cli.workers as module
    import skillret.index.index
    from skillret.cli import main
    from tests.conftest import HashEncoder
    skillret.index.index._CHUNK = 1
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run with "&"
    class Slow(HashEncoder):
        def encode_documents(self, texts, progress=None):
            out = super().encode_documents(texts, progress)
            if len(self.encoded) == 3:
                print("encoding", flush=True)
                time.sleep(60)
            return out
    module.load_encoder = lambda *a, **k: Slow()
    sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_control_c_in_a_build_keeps_what_was_encoded(library, tmp_path, capsys):
    path = tmp_path / "i.db"
    command = ["index", "build", "--library", str(library), "--index", str(path)]
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_SLOW_BUILD), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "encoding\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err.splitlines() == [
        "skillret: interrupted; nothing stored was lost, run the command again to go on"
    ]
    with Index.open(path) as index:
        assert (index.info().skills, index.info().pending) == (0, 2)
    for command in (("search", "pods"), ("index", "update")):
        line = fails(capsys, *command, "--index", str(path))
        assert "has not finished: wait for it, or run `skillret index build` again" in line
    _, out, err = run(capsys, "index", "status", "--index", str(path))
    assert "pending     2" in out
    assert "has not finished" in err


def test_a_data_set_of_another_layout_is_indexed_as_well(dataset, tmp_path, capsys):
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": s.id, "title": s.name, "text": s.description} for s in SKILLS]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "pods"}\n')
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tpdf-tables\t1\n")
    status, _, err = run(capsys, "index", "build", "--dataset", str(folder))
    assert (status, "4 skills, 4 added" in err) == (0, True)
    _, out, _ = run(capsys, "index", "status", "--dataset", str(folder), "--json")
    told = json.loads(out)
    assert (told["skills"], told["split"], told["up_to_date"]) == (4, "train", True)
    _, _, err = run(capsys, "index", "update", "--dataset", str(folder))
    assert "0 encoded" in err
    with (folder / "corpus.jsonl").open("a") as file:
        file.write('{"_id": "new", "title": "new", "text": "Something new."}\n')
    _, _, err = run(capsys, "index", "update", "--dataset", str(folder))
    assert "5 skills, 1 added" in err


def test_tests_beside_skills_make_a_folder_a_data_set(library, capsys):
    tests = [{"query": "pods", "should_trigger": True}]
    (library / "pdf-tables" / "eval_queries.json").write_text(json.dumps(tests))
    run(capsys, "index", "build", "--dataset", str(library))
    _, out, _ = run(capsys, "index", "status", "--dataset", str(library), "--json")
    told = json.loads(out)
    assert (told["split"], told["up_to_date"], told["skills"]) == ("tests", True, 4)


def test_skills_that_were_added_one_by_one_have_no_folder_to_update_from(library, tmp_path, capsys):
    path = tmp_path / "i.db"
    with Index.open(path, create=True) as index:
        index.add(SKILLS)
    index = ("--index", str(path))
    assert "added one by one" in fails(capsys, "index", "update", *index)
    _, out, err = run(capsys, "index", "status", *index, "--json")
    assert json.loads(out)["up_to_date"]
    assert err == ""
    line = fails(capsys, "search", "pods", *index, "--library", str(library))
    assert "this index holds skills that were added one by one: search it without" in line
    _, _, err = run(capsys, "index", "remove", "pdf-tables", *index)
    assert err == "skillret: removed 1 skill\n"


def test_an_older_scan_does_not_overwrite_a_newer_one(library, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("skillret.retrieval.refresh._PATIENCE", 0)
    index = ("--index", str(tmp_path / "i.db"))
    run(capsys, "index", "build", "--library", str(library), *index)
    write_skill(library, "meal-planner", "The old text.")
    said = []
    with Index.open(tmp_path / "i.db") as other, ExitStack() as lock:
        lock.enter_context(other.writing())

        def note(message):
            said.append(message)
            if "waiting" in message:  # the folders were read before
                write_skill(library, "meal-planner", "The new text.")
                found = Library.open(library)
                sources = Sources.of(found)
                other.update(found.skills, sources=sources, fingerprint=found.fingerprint)
                lock.close()

        monkeypatch.setattr("skillret.cli.index.note", note)
        monkeypatch.setattr("skillret.cli.index_told.note", note)
        assert run(capsys, "index", "update", *index)[0] == 0
        assert [s.description for s in other.skills() if s.name == "meal-planner"] == [
            "The new text."
        ]
    assert said[0] == "another process is writing this index; waiting for it"
    assert "0 added, 0 changed" in said[1]


def test_an_index_is_not_copied_onto_itself(library, tmp_path, capsys):
    file = str(tmp_path / "a.db")
    run(capsys, "index", "build", "--library", str(library), "--index", file)
    assert "is the index that is copied" in fails(capsys, "index", "copy", file, file)
    assert os.path.exists(file)  # noqa: PTH110


def test_help_keeps_its_capitals(capsys):
    with pytest.raises(SystemExit):
        run(capsys, "index", "copy", "--help")
    assert "Copy an index, to a file or to Milvus;" in " ".join(capsys.readouterr().out.split())


def test_the_command_that_is_advised_is_about_this_index(tmp_path, capsys):
    folder, path = tmp_path / "my skills", tmp_path / "team index.db"
    write_skill(folder, "pods", "Find out why pods restart.")
    given = ("--library", str(folder), "--index", str(path))
    run(capsys, "index", "build", *given)
    write_skill(folder, "pdf", "Turn a PDF into a spreadsheet.")
    _, _, err = run(capsys, "index", "status", "--index", str(path))
    (advice,) = (line for line in err.splitlines() if "changed" in line)
    command = shlex.split(advice.split("`")[1])
    assert command == ["skillret", "index", "update", "--index", str(path)]
    run(capsys, *command[1:])
    with Index.open(path) as index:
        assert len(index) == 2
        build = shlex.split(Sources.from_info(index.info()).command("build", path))
    assert build == ["skillret", "index", "build", "--index", str(path), "--library", str(folder)]
    missing = str(tmp_path / "no.db")
    assert f"skillret index build --index {missing}" in fails(
        capsys, "search", "pods", "--index", missing
    )


def test_the_command_that_is_advised_names_the_model(library, tmp_path, capsys):
    packaged = Path(skillret.encoders.__file__).parent / "default"
    model = tmp_path / "my model"
    shutil.copytree(packaged, model, ignore=shutil.ignore_patterns("calibration.json", "*.png"))
    profile = json.loads((model / "profile.json").read_text())
    profile["max_document_tokens"] += 128
    (model / "profile.json").write_text(json.dumps(profile))
    path = tmp_path / "i.db"
    run(capsys, "index", "build", "--library", str(library), "--index", str(path))
    given = ("--index", str(path), "--model", str(model))
    line = fails(capsys, "index", "update", *given)
    assert line == fails(capsys, "search", "pods", "--mode", "dense", *given)
    command = shlex.split(line.split("`")[1])
    assert command[-2:] == ["--model", str(model)]
    assert "4 encoded" in run(capsys, *command[1:])[2]
    write_skill(library, "knitting", "Knit a scarf.")
    _, _, err = run(capsys, "index", "status", *given)
    command = shlex.split(err.split("`")[1])
    assert "1 added" in run(capsys, *command[1:])[2]
    assert run(capsys, "search", "pods", "--mode", "dense", *given)[0] == 0


def test_a_damaged_index_that_nobody_named_is_built_anew(library, capsys):
    given = ("--library", str(library))
    run(capsys, "index", "build", *given)
    (path,) = default_indexes()
    path.write_bytes(b"garbage garbage")
    for action in ("status", "list", "update", "verify"):
        line = fails(capsys, "index", action, *given)
        assert line.endswith(f"; `skillret index build --library {library}` makes it anew")
    status, _, err = run(capsys, "index", "build", *given)
    assert status == 0
    assert f"is set aside as {path.name}.damaged and made anew" in err
    assert "4 added" in err
    assert "4 skills" in run(capsys, "index", "list", "--all")[1]


def test_a_damaged_index_that_was_named_is_left_alone(library, tmp_path, capsys):
    named = tmp_path / "i.db"
    named.write_bytes(b"garbage garbage")
    given = ("--library", str(library), "--index", str(named))
    for command in (("index", "build"), ("search", "pods")):
        assert "is no skillret index; give another --index" in fails(capsys, *command, *given)
    assert named.read_bytes() == b"garbage garbage"
    assert not kept_as(named).exists()
