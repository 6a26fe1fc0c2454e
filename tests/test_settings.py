import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillret.errors import InputError
from skillret.retrieval.naming import LEVELS
from skillret.settings import FILE, MODES, Dismissal, Settings, load_settings


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository with a folder in it, which is the current one."""
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    (folder / "inner").mkdir()
    monkeypatch.chdir(folder / "inner")
    return folder


def user_file(home, text):
    file = home / ".config" / "skillret" / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_without_files_and_variables_nothing_is_set(project, home):
    settings = load_settings()
    assert settings == Settings()
    assert settings.origins == {}
    assert settings.files == (project / FILE, home / ".config" / "skillret" / FILE)


def test_a_variable_counts_more_than_the_project_and_that_more_than_the_user(
    project, home, monkeypatch
):
    mine = user_file(home, 'threshold = 0.1\nlimit = 3\nagents = ["a"]\nmodel = "./m"\n')
    (project / FILE).write_text('threshold = 1\nlimit = 4\nagents = ["b"]\n')
    monkeypatch.setenv("SKILLRET_LIMIT", " 5 ")
    monkeypatch.setenv("SKILLRET_THRESHOLD", "")  # as if unset
    settings = load_settings()
    assert (settings.threshold, settings.limit, settings.agents) == (1.0, 5, ("b",))
    assert settings.model == str(mine.parent / "m")
    assert settings.origins == {
        "threshold": (str(project / FILE),),
        "limit": ("SKILLRET_LIMIT",),
        "agents": (str(project / FILE),),
        "model": (str(mine),),
    }


def test_lists_of_both_files_add_up_and_a_variable_takes_their_place(project, home, monkeypatch):
    (home / "team").mkdir()
    (project / "own").mkdir()
    user_file(home, 'hide = ["a", "b-*"]\nroots = ["~/team"]\n')
    (project / FILE).write_text('hide = ["c", "a"]\nroots = ["own"]\n')
    settings = load_settings()
    assert settings.hide == ("c", "a", "b-*")
    assert settings.roots == (project / "own", home / "team")
    assert len(settings.origins["hide"]) == 2
    monkeypatch.setenv("SKILLRET_HIDE", "d, e")
    monkeypatch.setenv("SKILLRET_ROOTS", os.pathsep.join(["~/team", "../own"]))
    settings = load_settings()
    assert settings.hide == ("d", "e")
    assert [root.resolve() for root in settings.roots] == [home / "team", project / "own"]


def test_the_nearest_file_of_the_project_counts(project):
    (project / FILE).write_text("limit = 1\n")
    assert load_settings().limit == 1
    (project / "inner" / FILE).write_text("limit = 2\n")
    assert load_settings().limit == 2
    (project.parent / FILE).write_text("limit = 3\n")  # above the repository
    (project / "inner" / FILE).unlink()
    (project / FILE).unlink()
    assert load_settings().limit is None


def test_a_project_names_neither_a_model_nor_folders_elsewhere(project, home):
    (project / "way-out").symlink_to(home)
    (project / "own").mkdir()
    (project / FILE).write_text(
        'model = "evil/model"\nroots = ["own", "~", "..", "/etc", "way-out"]\n'
    )
    settings = load_settings()
    assert settings.model is None
    assert settings.roots == (project / "own",)
    about_model, about_roots = settings.remarks
    assert "model is not taken from a project's file" in about_model
    assert f"not taken from its file: {home}, {project.parent}, /etc and 1 more" in about_roots
    (project / FILE).write_text('roots = ["/etc"]\n')
    assert load_settings().origins == {}


def test_a_root_that_is_missing_is_remarked_on(project, home):
    file = user_file(home, 'roots = ["~/gone"]\n')
    settings = load_settings()
    assert settings.roots == (home / "gone",)
    assert settings.remarks == (f"{file}: roots: no such folder: {home / 'gone'}",)


def test_a_root_of_nobody_is_told_with_the_place_that_names_it(project, home, monkeypatch):
    file = user_file(home, 'roots = ["~no such user/skills"]\n')
    with pytest.raises(InputError, match="no such user has a home") as e:
        load_settings()
    assert str(e.value).startswith(f"{file}: roots: ~no such user/skills")
    file.unlink()
    monkeypatch.setenv("SKILLRET_ROOTS", "~no such user")
    with pytest.raises(InputError, match=r"^SKILLRET_ROOTS: ~no such user starts with ~"):
        load_settings()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hide = subtitles", "not valid TOML: Invalid value (at line 1, column 8)"),
        ('hiden = ["a"]', "unknown key 'hiden'; did you mean hide?"),
        ("[search]\nk = 3", "unknown key 'search'; known: roots, hide, agents, threshold"),
        ('hide = "a"', "hide is 'a'; allowed: a list of at most 1000 texts"),
        ('hide = ["a", 3]', "hide is a list with 3; allowed: a list"),
        ('roots = [" "]', "roots is a list with ' '; allowed: a list"),
        ('agents = [["a"]]', "agents is a list with a list; allowed: a list"),
        ("threshold = true", "threshold is True; allowed: a number from 0 to 1"),
        ("threshold = nan", "threshold is nan; allowed: a number from 0 to 1"),
        ("threshold = 35", "threshold is 35; allowed: a number from 0 to 1"),
        ("limit = 0", "limit is 0; allowed: a whole number from 1 to 1000"),
        ("limit = 2.0", "limit is 2.0; allowed: a whole number from 1 to 1000"),
        (f"limit = 0x{'f' * 9000}", "limit is a number of thousands of digits; allowed"),
        ("model.name = 'x'", "model is a table; allowed: a model folder or name"),
        ('model = ""', "model is ''; allowed: a model folder or name"),
        (f"limit = {'[' * 9000}", "nested too deeply"),
        ("# " + "x" * 17_000, "is larger than 16 kB"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(project, home, text, told):
    file = user_file(home, text)
    with pytest.raises(InputError) as e:
        load_settings()
    assert told in str(e.value)
    assert str(e.value).startswith((str(file), f"cannot read {file}"))
    assert "\n" not in str(e.value)


def test_a_file_that_is_none(project, home):
    file = project / FILE
    file.mkdir()
    with pytest.raises(InputError, match="Is a directory"):
        load_settings()
    file.rmdir()
    os.mkfifo(file)
    with pytest.raises(InputError, match="is no regular file"):
        load_settings()
    file.unlink()
    file.symlink_to(project / "nowhere")
    with pytest.raises(InputError, match=r"cannot read .*No such file"):
        load_settings()
    file.unlink()
    file.write_bytes("limit = 3".encode("utf-16"))
    with pytest.raises(InputError, match="is not UTF-8"):
        load_settings()
    file.write_bytes("limit = 3".encode("utf-8-sig"))
    assert load_settings().limit == 3


@pytest.mark.parametrize(
    ("name", "value"), [("THRESHOLD", "much"), ("LIMIT", "1.5"), ("THRESHOLD", "inf")]
)
def test_a_wrong_variable_is_named(name, value, monkeypatch):
    monkeypatch.setenv(f"SKILLRET_{name}", value)
    with pytest.raises(InputError, match=rf"SKILLRET_{name} is .*; allowed: a "):
        load_settings()


def test_neither_home_nor_current_folder_is_needed(tmp_path, monkeypatch, home):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")  # which the specification says to ignore
    assert load_settings().limit is None
    user_file(home, "limit = 7")
    assert load_settings(home=home).limit == 7


@given(st.text(max_size=300))
def test_any_text_is_settings_or_one_clear_error(tmp_path_factory, text):
    home = tmp_path_factory.mktemp("any")
    user_file(home, "").write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    try:
        load_settings(Path("/"), home)
    except InputError as e:
        assert FILE in str(e)


def test_dismissals_of_both_files_add_up_but_a_project_dismisses_no_attack(project, home):
    user_file(home, 'dismiss = [{finding = "attack-download", skill = "a-*", reason = "read"}]\n')
    (project / FILE).write_text(
        'dismiss = [{finding = "overlap", reason = "wanted"},'
        ' {finding = "attack-hidden", reason = "trust me"}]\n'
    )
    settings = load_settings()
    assert settings.dismiss == (
        Dismissal("overlap", "*", "wanted"),
        Dismissal("attack-download", "a-*", "read"),
    )
    (remark,) = settings.remarks
    assert "not dismissed by a project's file" in remark


def test_a_dismissal_of_an_unknown_finding_is_refused(project, home):
    user_file(home, '[[dismiss]]\nfinding = "overlaps"\nreason = "x"\n')
    with pytest.raises(InputError, match=r"toml: dismiss: unknown finding 'overlaps'; did you me"):
        load_settings(project, home)
    user_file(home, "")
    (project / FILE).write_text('[[dismiss]]\nfinding = "%"\nreason = "x"\n')
    with pytest.raises(InputError, match=r"unknown finding '%'; known: attack-download, .*copy"):
        load_settings(project, home)


@pytest.mark.parametrize(
    "value", ['"overlap"', '[{finding = "overlap"}]', '[{finding = "x", reason = 1}]', '["x"]']
)
def test_a_dismissal_needs_a_finding_and_a_reason(value, project):
    (project / FILE).write_text(f"dismiss = {value}\n")
    with pytest.raises(InputError, match=r"dismiss is .*; allowed: a list of tables such as"):
        load_settings()


def test_only_its_user_lets_queries_be_logged(project, home, monkeypatch):
    (project / FILE).write_text("log_queries = true\n")
    settings = load_settings(project, home)
    assert not settings.log_queries
    assert "log_queries is not taken from a project's file" in settings.remarks[0]
    user_file(home, "log_queries = true\n")
    assert load_settings(project, home).log_queries
    monkeypatch.setenv("SKILLRET_LOG_QUERIES", "no")
    assert not load_settings(project, home).log_queries
    monkeypatch.setenv("SKILLRET_LOG_QUERIES", "perhaps")
    with pytest.raises(InputError, match="SKILLRET_LOG_QUERIES is 'perhaps'; allowed: true or"):
        load_settings(project, home)


def test_how_sure_a_named_skill_must_be_is_one_of_the_levels(project, home, monkeypatch):
    assert set(MODES) == set(LEVELS)
    user_file(home, 'mode = "quiet"\n')
    assert load_settings().mode == "quiet"
    (project / FILE).write_text('mode = "eager"\n')
    assert load_settings().mode == "eager"
    monkeypatch.setenv("SKILLRET_MODE", "normal")
    assert load_settings().origins["mode"] == ("SKILLRET_MODE",)
    monkeypatch.setenv("SKILLRET_MODE", "hybrid")
    with pytest.raises(InputError, match="SKILLRET_MODE is 'hybrid'; allowed: quiet, normal or"):
        load_settings()
