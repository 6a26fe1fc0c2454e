import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillret.errors import InputError, SkillretError
from skillret.evaluation.runs import check_run, order, read_run, write_run

ID = st.from_regex(r"[a-z0-9@:/-]{1,12}", fullmatch=True)


@given(st.dictionaries(ID, st.dictionaries(ID, st.floats(-1, 1, width=32), min_size=1), min_size=1))
def test_a_run_comes_back_in_its_order(tmp_path_factory, run):
    file = tmp_path_factory.mktemp("run") / "r.run"
    ranked = {q: sorted(h.items(), key=lambda p: -p[1]) for q, h in run.items()}
    write_run(ranked, file, "tag")
    assert order(read_run(file)) == order(ranked)


def test_runs_of_others_are_ordered_by_score_then_rank(tmp_path):
    file = tmp_path / "r.run"
    file.write_text("q Q0 b 2 0.5 x\nq\tQ0\ta\t3\t0.5\tx\n\nq Q0 c 9 0.9 x\n")
    assert order(read_run(file)) == {"q": ["c", "b", "a"]}


@pytest.mark.parametrize("text", ["q Q0 a 1 0.5\n", "q Q0 a one 0.5 x\n", "q Q0 a 1 nan x\n", ""])
def test_malformed_runs_are_named_with_their_line(tmp_path, text):
    file = tmp_path / "r.run"
    file.write_text(text)
    with pytest.raises(InputError, match=r"r\.run(, line 1| is empty)"):
        read_run(file)


def test_a_missing_run_and_an_id_with_a_blank(tmp_path):
    with pytest.raises(InputError, match=r"^no such file: .*no\.run$"):
        read_run(tmp_path / "no.run")
    with pytest.raises(InputError, match=r"^\S+ cannot be read: [^\[\]]+$"):
        read_run(tmp_path)
    with pytest.raises(SkillretError, match="white space"):
        write_run({"q": [("a b", 1.0)]}, tmp_path / "r.run", "x")


def test_a_run_of_another_data_set_is_refused():
    run = {"q1": [("a", 1.0)]}
    assert check_run(run, ["q1"], ["a"], "r") == []
    assert check_run(run, ["q1", "q2"], ["a"], "r") == ["r lacks 1 of 2 queries; they count as 0"]
    with pytest.raises(InputError, match="another data set: the skill 'a'"):
        check_run(run, ["q1"], ["b"], "r")
    with pytest.raises(InputError, match="share no query"):
        check_run(run, ["q9"], ["a"], "r")
