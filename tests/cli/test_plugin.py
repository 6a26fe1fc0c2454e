from tests.cli.test_search import run


def test_it_is_written_and_said(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    folder = tmp_path / "plugin"
    status, out, err = run(capsys, "plugin", str(folder))
    assert status == 0
    assert f"wrote {folder / '.claude-plugin' / 'marketplace.json'}\n" in out
    assert "is not on your PATH, where the plugin looks for it: put it there, or" in err
    _, out, err = run(capsys, "plugin", str(folder), "--absolute")
    assert "nothing to do in" in out
    assert f"wrote {folder / 'plugins/skillret/hooks/register.js'}\n" in out
    assert err == ""


def test_a_folder_with_something_else_is_refused(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("x")
    status, out, err = run(capsys, "plugin", str(tmp_path))
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "holds something else" in err


def test_no_folder_is_not_the_current_one(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "plugin", "") == (1, "", "skillret: folder is empty; give a value\n")
    assert not any(path.is_file() for path in tmp_path.iterdir())
