"""What all commands share: streams, interruption, errors of the operating system."""

import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from tests.cli.test_search import fails
from tests.conftest import ROOT

from skillret.cli import main
from skillret.cli.common import print_json

SKILLRET = [sys.executable, "-m", "skillret"]


def shell(command, *arguments):
    """A command line with redirections; its exit status, stdout and stderr."""
    line = ["sh", "-c", f'exec "$@" {command}', "sh", *SKILLRET, *arguments]
    done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def search(library):
    return ("search", "pods", "--library", str(library))


def test_without_a_command_the_help_is_shown(capsys):
    assert main([]) == 2
    assert "find the skills for a query" in capsys.readouterr().err


@pytest.mark.parametrize("command", [("search", "pods"), ("index", "build")])
def test_a_misspelt_option_shows_the_command_s_own_usage(capsys, command):
    with pytest.raises(SystemExit, match="2"):
        main([*command, "--libary", "x"])
    err = capsys.readouterr().err
    assert err.startswith(f"usage: skillret {command[0]}")
    assert err.endswith("unknown argument --libary; did you mean --library?\n")


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["search", "x", "--top", "1"], "-k"),
        (["search", "x", "--limit=1"], "-k"),
        (["search", "x", "-n5"], "-k"),
        (["log", "--limit", "1"], "-n"),
        (["search", "x", "--dir", "y"], "--library"),
        (["doctor", "--folder", "y"], "--library"),
        (["evaluate", "x", "--path", "y"], "--library"),
        (["search", "x", "--format", "json"], "--json"),
        (["doctor", "--client", "codex"], "--agent"),
        (["doctor", "--verbose"], "--all"),
        (["doctor", "some/skills"], "--library some/skills"),
        (["doctor", "."], "--library ."),
        (["doctor", "claude-code"], "--agent claude-code"),
        (["find", "x"], "search"),
        (["update"], "index"),
        (["validate"], "doctor"),
        (["remove"], "uninstall"),
        (["index", "ls"], "list"),
        (["index", "create"], "build"),
    ],
)
def test_what_other_tools_call_it_is_hinted_at(arguments, meant, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert capsys.readouterr().err.endswith(f"; did you mean {meant}?\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["log", "--since", "3"],
        ["log", "--dir", "x"],
        ["status", "--top", "1"],
        ["doctor", "pods"],
        ["log", "x/y"],
        ["doctor", "\0"],
        ["doctor", "x" * 5000],
        ["xyzzy"],
        ["tomorrow", "x"],
        ["search", "x", "-q"],
    ],
)
def test_no_hint_is_made_up(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "did you mean" not in capsys.readouterr().err


def test_a_full_device_is_one_line(search, library):
    index = ("index", "list", "--library", str(library))
    shell("", *search)
    for arguments in (search, (*search, "--json"), index):
        status, _, err = shell(">/dev/full", *arguments)
        assert status == 1
        assert err == "skillret: standard output: No space left on device\n"


def test_a_stream_of_a_caller_s_own_may_break(search, monkeypatch, capsys):
    class Broken(io.StringIO):
        def flush(self):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Broken())
    assert main(list(search)) == 0


@pytest.mark.parametrize("stdout", [">&-", ">/dev/full"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [(), ("--json",), ("--help",)])
def test_output_that_is_lost_is_an_error(search, stdout, unbuffered, arguments, monkeypatch):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    shell("", *search)
    status, _, err = shell(stdout, *search, *arguments)
    assert (status, err[:27]) == (1, "skillret: standard output: ")


def test_a_closed_stdout_does_not_matter_where_nothing_is_written(search, tmp_path):
    status, _, err = shell(">&-", "serve", "--library", str(tmp_path / "missing"))
    assert (status, "standard output" in err) == (1, False)
    assert shell(">&-", "search", "x", "--nosuch")[0] == 2


def test_closed_streams_lead_nowhere(search):
    shell("", *search)
    status, _, err = shell(">&-", *search)
    assert (status, err) == (1, "skillret: standard output: it is closed\n")
    status, out, _ = shell("2>&-", *search)
    assert (status, "kubernetes-debugging" in out) == (0, True)
    status, out, err = shell("<&-", "search", "-", *search[2:])
    assert (status, out) == (1, "")
    assert "query is empty" in err
    assert shell("<&- >&- 2>&-", *search)[0] == 1


def test_an_interruption_is_one_line_at_any_time(search):
    code = (
        "import sys; from skillret.cli import main\n"
        "print('ready', file=sys.stderr, flush=True); sys.exit(main(sys.argv[1:]))"
    )
    shell("", *search)
    for delay in (0.005, 0.02, 0.05, 0.08, 0.12, 0.16):
        process = subprocess.Popen(
            [sys.executable, "-c", code, *search], stderr=subprocess.PIPE, cwd=ROOT, text=True
        )
        assert process.stderr is not None
        assert process.stderr.readline() == "ready\n"
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
        # By the end of a search Python itself may be interrupted, as it shuts down.
        if process.returncode == 130:
            assert err.startswith("skillret: interrupted;")
            assert err.count("\n") == 1
        else:
            assert process.returncode in (0, -signal.SIGINT)


def test_an_interruption_that_a_library_makes_an_error_of_is_one_line(capsys, monkeypatch):
    def interrupted(_):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ImportError("NumPy is broken") from None

    monkeypatch.setattr("skillret.cli.search.run", interrupted)
    outside = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:  # a job in the background ignores it
        assert main(["search", "x"]) == 130
        assert capsys.readouterr().err.startswith("skillret: interrupted;")
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, outside)


@pytest.mark.parametrize("name", ["~nobody-of-that-name/x", "x" * 300, "a\0b"])
def test_impossible_paths_are_one_line(name, library, capsys, tmp_path):
    lib = ("--library", str(library))
    for arguments in (
        ("search", "pods", "--library", name),
        ("search", "pods", "--index", name),
        ("search", "pods", *lib, "--model", name),
        ("index", "build", "--library", name),
        ("index", "build", *lib, "--index", name),
        ("index", "update", "--index", name),
        ("index", "build", "--dataset", name),
        ("evaluate", name),
        ("evaluate", str(library), "--from-run", name),
        ("evaluate", str(library), "--json", name),
        ("evaluate", str(library), "--report", name),
        ("data", "check", name),
        ("data", "convert", name, str(tmp_path / "out"), "--to", "beir"),
        ("data", "convert", str(library), name, "--to", "skillret"),
        ("compare", name, name, "--dataset", str(library)),
        ("analyze", "erasure", name),
        ("calibrate", name),
        ("calibrate", str(library), "--output", name),
        ("train", name),
        ("export", name, "--output", str(tmp_path / "out")),
        ("push", name, "owner/name"),
    ):
        assert "internal error" not in fails(capsys, *arguments), arguments


def test_a_current_folder_that_is_gone_is_one_line(tmp_path, capsys, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for arguments in (("search", "x"), ("index", "build"), ("evaluate", "x"), ("train", "x")):
        assert "internal error" not in fails(capsys, *arguments)


def test_an_unforeseen_error_of_the_system_names_the_file(capsys, monkeypatch):
    def refuse(_):
        open("/nowhere/at/all")  # noqa: PTH123, SIM115

    monkeypatch.setattr("skillret.cli.search.run", refuse)
    line = fails(capsys, "search", "x")
    assert line == "skillret: /nowhere/at/all: No such file or directory"
    monkeypatch.setenv("SKILLRET_DEBUG", "1")
    with pytest.raises(FileNotFoundError):
        main(["search", "x"])


def test_json_shows_no_terminal_what_it_would_obey(capsys):
    document = {"name": "\x7f\x9b31m\u202e\u2066 \x1b[2J ä 🎉\u200d \U000e0041", "n": [1.5, None]}
    print_json(document)
    out = capsys.readouterr().out
    assert json.loads(out) == document
    assert out.replace("\n", "").isprintable()
    assert "ä 🎉" in out


def test_help_needs_no_home(monkeypatch, capsys):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.delenv(name)
    assert "HOME" not in os.environ
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "skillret search" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["search", "x", "--index", ""], "index"),
        (["search", "x", "--model", ""], "model"),
        (["evaluate", "set", "--from-run", ""], "from-run"),
        (["calibrate", "set", "--output", ""], "output"),
        (["data", "check", ""], "dataset"),
    ],
)
def test_an_empty_value_is_not_taken_for_none(arguments, name, capsys):
    assert main(arguments) == 1
    assert capsys.readouterr().err == f"skillret: {name} is empty; give a value\n"
