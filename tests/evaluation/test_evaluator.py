import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from tests.cli.test_search import fails, run
from tests.conftest import ROOT, HashEncoder, fill
from tests.retrieval.test_calibration import fitted_on, make_calibration
from tests.retrieval.test_searcher import bm25_ranker, ranked_encoder
from tests.tables import QUERIES, qrel_rows, write_table

import skillret
from skillret import Retriever
from skillret.datasets.dataset import load_dataset
from skillret.errors import EncoderError, InputError
from skillret.evaluation import evaluate
from skillret.evaluation.metrics import mean, measure
from skillret.evaluation.sets import Sets
from skillret.evaluation.systems import make_run
from skillret.retrieval.calibration import load_calibration


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_runs_are_the_product_s_own(dataset, encoder, tmp_path, mode):
    loaded = load_dataset(str(dataset), "dev")
    ranked, _ = make_run(loaded, mode, encoder)
    with Retriever(fill(tmp_path / "i.db", loaded.skills, encoder)) as retriever:
        for query in loaded.queries:
            hits = retriever.search(query.text, k=50, mode=mode)
            assert [id_ for id_, _ in ranked[query.id]] == [h.id for h in hits]
            np.testing.assert_allclose(
                [s for _, s in ranked[query.id]], [h.score for h in hits], atol=1e-3
            )


def test_a_result_has_means_groups_and_abstention(dataset, encoder):
    result = skillret.evaluate(
        str(dataset), split="dev", model=encoder, group_by=("kind", "k", "major")
    )
    assert (result.n_queries, result.n_skills) == (3, 4)
    assert set(result.groups) == {
        "k=1",
        "k=2",
        "kind=long",
        "kind=short",
        "major=office",
        "major=ops",
    }
    assert result.groups["k=1"]["n_queries"] == 2
    assert 0 <= result.abstention.auroc <= 1
    assert (result.abstention.n_needed, result.abstention.n_negatives) == (3, 2)
    document = json.loads(json.dumps(result.to_json()))
    keys = "dataset revision split mode model n_queries n_skills metrics groups"
    assert list(document)[:9] == keys.split()
    assert {"ndcg@5", "ndcg@10", "ndcg@15", "completeness@5", "map@10", "hit@1"} <= set(
        document["metrics"]
    )


@pytest.mark.parametrize("method", ["encode_queries", "encode_documents"])
def test_nan_vectors_are_refused_and_not_kept(dataset, encoder, monkeypatch, method):
    def broken(texts, progress=None):
        return np.full((len(texts), 32), np.nan, dtype=np.float32)

    monkeypatch.setattr(encoder, method, broken)
    for _ in range(2):
        with pytest.raises(EncoderError, match=r"vectors with NaN or infinite"):
            evaluate(str(dataset), split="dev", model=encoder)
    monkeypatch.undo()
    evaluate(str(dataset), split="dev", model=encoder)


def test_a_second_evaluation_encodes_only_queries(dataset, encoder, monkeypatch):
    steps = []
    first = evaluate(
        str(dataset),
        split="dev",
        model=encoder,
        progress=lambda *s: steps.append(("skill", *s)),
        searched=lambda *s: steps.append(("query", *s)),
    )
    assert steps[0] == ("skill", 4, 4)
    assert steps[-1] == ("query", 5, 5)  # with the queries that need no skill
    again = HashEncoder()
    queries = []
    encode = again.encode_queries
    monkeypatch.setattr(again, "encode_queries", lambda t: queries.extend(t) or encode(t))
    second = evaluate(str(dataset), split="dev", model=again)
    assert again.encoded == []
    assert len(queries) == 5
    assert set(second.run) == {"q1", "q2", "q3"}
    assert second.metrics == first.metrics


def test_any_column_of_queries_or_gold_skills_makes_groups(dataset, encoder):
    def groups(*columns):
        found = evaluate(str(dataset), split="dev", mode="lexical", group_by=columns).groups
        return {name: values["n_queries"] for name, values in found.items()}

    # q2 wants two skills of one major; a list has as many groups as members.
    assert groups("major") == {"major=office": 2, "major=ops": 1}
    assert groups("skill_ids")["skill_ids=meal-planner"] == 1
    with pytest.raises(InputError, match=r"have a column 'colour'; they have: k, kind, major, ski"):
        groups("colour")
    rows = [{k: v for k, v in q.items() if k != "kind"} for q in QUERIES]
    write_table(dataset, "queries", "dev", rows)
    assert groups("kind", "k") == {"k=1": 2, "k=2": 1}  # the default asks for no column
    with pytest.raises(InputError, match="column 'kind'"):
        groups("kind")


def test_k_beyond_the_usual_depth_is_searched_that_deep(dataset, encoder, capsys, tmp_path):
    skills = [{"id": f"s{i}", "name": f"n{i}", "description": "shared word"} for i in range(80)]
    write_table(dataset, "skills", "dev", skills)
    queries = [{"id": "q", "query": "shared word", "skill_ids": [s["id"] for s in skills]}]
    write_table(dataset, "queries", "dev", queries)
    (dataset / "data" / "qrels" / "dev.jsonl.gz").unlink()
    for mode in ("hybrid", "dense", "lexical"):
        result = evaluate(str(dataset), split="dev", mode=mode, model=encoder, cuts=(5, 70, 100))
        assert result.metrics["recall@70"] == pytest.approx(70 / 80)
        assert result.metrics["completeness@70"] == 0
        assert result.metrics["completeness@100"] == 1
    base = ("evaluate", str(dataset), "--split", "dev", "--mode", "lexical")
    file = str(tmp_path / "shallow.run")
    run(capsys, *base, "--run", file)
    _, out, err = run(capsys, *base, "--from-run", file, "--k", "70,5,5", "--json", "-")
    assert "shallow.run ranks at most 50 skills" in err
    assert list(json.loads(out)["metrics"])[:2] == ["ndcg@5", "ndcg@70"]


def test_the_command_prints_writes_and_scores_runs(dataset, tmp_path, capsys):
    base = ("evaluate", str(dataset), "--split", "dev")
    run_file, json_file = tmp_path / "out" / "s.run", tmp_path / "r.json"
    status, out, _ = run(capsys, *base, "--run", str(run_file), "--json", str(json_file))
    assert status == 0
    assert "completeness" in out
    assert "kind=short" in out
    written = json.loads(json_file.read_text())
    status, out, _ = run(capsys, *base, "--from-run", str(run_file), "--json", "-")
    again = json.loads(out)
    assert again["metrics"] == written["metrics"]
    assert (again["mode"], again["model"]) == ("run", "s.run")


def test_bad_input_of_the_command(dataset, tmp_path, capsys):
    base = ("evaluate", str(dataset), "--split", "dev", "--mode", "lexical")
    for k in ("0", "99999999999999999999"):
        assert "from 1 to" in fails(capsys, *base, "--k", k)
    assert "whole numbers" in fails(capsys, *base, "--k", "five")
    assert "have a column 'colour'" in fails(capsys, *base, "--group", "colour")
    assert "no split 'test'" in fails(capsys, "evaluate", str(dataset))
    other = tmp_path / "other.run"
    other.write_text("x Q0 y 1 1.0 z\n")
    assert "another data set" in fails(capsys, *base, "--from-run", str(other))
    twice = tmp_path / "twice.run"
    twice.write_text("q1 Q0 pdf-tables 1 1.0 z\nq1 Q0 pdf-tables 2 0.5 z\n")
    assert "twice in the ranking of query 'q1'" in fails(capsys, *base, "--from-run", str(twice))
    for option in ("--json", "--run"):
        assert "is no file" in fails(capsys, *base, option, str(tmp_path))
        assert "cannot write" in fails(capsys, *base, option, str(other / "r.json"))
    new = str(tmp_path / "new")
    assert "each its own" in fails(capsys, *base, "--run", new, "--json", new)
    assert "each its own" in fails(capsys, *base, "--from-run", str(other), "--json", str(other))
    assert "is no file" in fails(capsys, *base, "--run", "-")


def test_what_cannot_be_written_is_found_before_the_work(dataset, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("skillret.cli.evaluate.evaluate", None)
    base = ("evaluate", str(dataset), "--split", "dev")
    (tmp_path / "file").write_text("x")
    assert "cannot write" in fails(capsys, *base, "--json", str(tmp_path / "file" / "r.json"))
    write_table(dataset, "queries", "dev", [{"id": "a b", "query": "x"}])
    write_table(dataset, "qrels", "dev", [{"query_id": "a b", "skill_id": "pdf-tables"}])
    assert "white space" in fails(capsys, *base, "--run", str(tmp_path / "s.run"))


def test_texts_of_a_data_set_cannot_write_to_the_terminal(dataset, capsys):
    evil = "\x1b[31m\x9b\u202e"
    write_table(dataset, "queries", "dev", [{"id": "q1", "query": "pods", "kind": evil}])
    write_table(dataset, "qrels", "dev", [{"query_id": "q1", "skill_id": "pdf-tables"}])
    base = ("evaluate", str(dataset), "--split", "dev", "--mode", "lexical")
    for arguments in (base, (*base, "--json", "-")):
        status, out, err = run(capsys, *arguments)
        assert status == 0
        assert "kind=" in out
        assert (out + err).replace("\n", "").isprintable()


def test_allow_missing_drops_labels_and_says_so(dataset, capsys):
    write_table(dataset, "qrels", "dev", [*qrel_rows(), {"query_id": "q1", "skill_id": "gone"}])
    base = ("evaluate", str(dataset), "--split", "dev", "--mode", "lexical", "--json", "-")
    assert "1 gold label names a skill that is not there" in fails(capsys, *base)
    status, out, err = run(capsys, *base, "--allow-missing")
    assert (status, json.loads(out)["n_queries"]) == (0, 3)
    assert "the first is 'gone' of query 'q1'; dropped" in err


def test_sets_are_those_that_an_agent_would_get(dataset, tmp_path):
    encoder = ranked_encoder(tmp_path, threshold=0.4)
    loaded = load_dataset(dataset, "dev")
    result = evaluate(loaded, model=encoder)
    with Retriever(fill(tmp_path / "i.db", loaded.skills, encoder)) as retriever:
        chosen = {q.id: [h.id for h in retriever.select(q.text)] for q in loaded.queries}
        ranked = {q.id: [h.id for h in retriever.search(q.text, 50)] for q in loaded.queries}
        needless = [[h.id for h in retriever.select(q.text)] for q in loaded.negatives]
    assert set(result.sets.named["quiet"]) == {"right", "any", "needless"}
    assert result.sets == Sets.of(chosen, ranked, loaded.qrels, needless, result.sets.named)
    assert result.sets.kept > 0
    assert result.to_json()["sets"] == result.sets.to_json()
    assert result.abstention.score == "probability of need"
    # Also without a ranker; cosines or BM25 alone select nothing.
    bare = evaluate(loaded, model=HashEncoder())
    assert (bare.sets.kept, bare.abstention.score) == (1, "largest cosine")
    for mode, score in (("dense", "largest cosine"), ("lexical", "largest BM25 score")):
        found = evaluate(loaded, model=encoder, mode=mode)
        assert (found.sets, found.abstention.score) == (None, score)


def test_sets_of_queries_without_labels_are_not_scored(dataset, encoder):
    write_table(dataset, "queries", "dev", [*QUERIES, {"id": "q4", "query": "unlabelled"}])
    result = evaluate(dataset, split="dev", model=encoder)
    assert "1 query without a gold skill: not scored" in result.notes
    assert result.n_queries == 3
    assert result.sets.selected["size"] >= 1


def test_a_figure_on_what_was_fitted_on_says_so(dataset, tmp_path, capsys):
    encoder = ranked_encoder(tmp_path)
    texts = [q["query"] for q in QUERIES]

    def notes(entries, **options):
        fitted = make_calibration(
            encoder=encoder.profile.identity, ranker=bm25_ranker(), fitted_on=entries
        )
        result = evaluate(dataset, split="dev", model=encoder, calibration=fitted, **options)
        return [n for n in result.notes if "held-out" in n], fitted.id

    ((line,), id_) = notes((fitted_on(texts),))  # beside them two that need no skill
    assert line == (
        f"60 % of these queries were used to fit the calibration {id_}: not a held-out figure"
    )
    assert notes((fitted_on(["other"], ("thresholds",)), fitted_on(texts[:1])))[0]
    assert notes((fitted_on(["other"]),))[0] == []
    assert notes((fitted_on(texts),), mode="dense")[0] == []


def test_the_command_tells_of_sets_and_takes_a_calibration(dataset, tmp_path, capsys):
    base = ("evaluate", str(dataset), "--split", "dev")
    status, out, _ = run(capsys, *base)
    assert status == 0
    lines = out.splitlines()
    (head,) = [n for n, line in enumerate(lines) if line.split()[:2] == ["precision", "recall"]]
    assert [line[:14].strip() for line in lines[head + 1 : head + 5]] == [
        "selected",
        "first 1",
        "first 3",
        "first 5",
    ]
    assert re.fullmatch(
        r"[0-9.]+ % of the queries that need a skill get a set; [0-9.]+ % of 2 needless ones get"
        r" none",
        lines[head + 5],
    )
    packaged = load_calibration(skillret.load_encoder())
    file = tmp_path / "c.json"
    replace(packaged, threshold=1.0, fitted_on=()).save(file)
    _, out, err = run(capsys, *base, "--calibration", str(file), "--json", "-")
    assert json.loads(out)["sets"]["turned_away"] == 1.0
    assert "held-out" not in err
    assert "hybrid mode" in fails(capsys, *base, "--calibration", str(file), "--mode", "dense")
    assert "hybrid mode" in fails(capsys, *base, "--calibration", str(file), "--from-run", "x")
    assert "No such file" in fails(capsys, *base, "--calibration", str(tmp_path / "no.json"))
    _, out, _ = run(capsys, *base, "--mode", "lexical")
    assert "get a set" not in out


def test_near_misses_are_no_needless_queries(dataset, capsys):
    near = [{"id": "n1", "query": "pods", "negative_for": "kubernetes-debugging"}]
    write_table(dataset, "negatives", "dev", near)
    _, out, _ = run(capsys, "evaluate", str(dataset), "--split", "dev")
    assert "needless" not in out
    assert "% of the queries that need a skill get a set; 0.0 % of 1 near miss get none\n" in out


def test_near_misses_and_needless_queries_are_counted_apart(dataset, capsys):
    options = ("evaluate", str(dataset), "--split", "dev", "--mode")
    alone = json.loads(run(capsys, *options, "hybrid", "--json", "-")[1])
    assert "near_misses" not in alone
    needless = [{"id": q.id, "query": q.text} for q in load_dataset(str(dataset), "dev").negatives]
    near = {"id": "near", "query": "pods", "negative_for": ["kubernetes-debugging"]}
    write_table(dataset, "negatives", "dev", [*needless, near])
    _, out, err = run(capsys, *options, "hybrid", "--json", "-")
    both = json.loads(out)
    assert "1 near miss of one skill among 3 negatives" in err
    assert both["abstention"] == alone["abstention"]
    assert both["near_misses"]["n_negatives"] == 1
    counts = {"near_turned_away": 0.0, "n_near_misses": 1}
    assert both["sets"] == alone["sets"] | counts
    _, out, _ = run(capsys, *options, "hybrid")
    assert "turned away" in out
    assert "not told by 1 near miss of single skills" in out
    assert "% of 2 needless ones get none; 0.0 % of 1 near miss get none\n" in out


def test_evaluate_is_had_from_its_package_and_takes_a_path(dataset):
    import skillret.evaluation as package

    assert package.evaluate is skillret.evaluate
    result = package.evaluate(dataset, split="dev", mode="lexical")
    assert isinstance(result, package.Result)
    assert result.dataset == str(dataset)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        package.nothing  # noqa: B018
    code = (
        "import sys, skillret.evaluation, skillret.evaluation.sets\n"
        "assert 'skillret.evaluation.evaluator' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.data
def test_hybrid_beats_both_of_its_parts_on_dev(openskillret):
    dataset = load_dataset(str(openskillret), "dev")
    encoder = skillret.load_encoder()
    values = {
        mode: mean(
            measure(
                {
                    q: [i for i, _ in hits]
                    for q, hits in make_run(dataset, mode, encoder)[0].items()
                },
                dataset.qrels,
            )
        )["ndcg@10"]
        for mode in ("hybrid", "dense", "lexical")
    }
    assert values["hybrid"] > values["lexical"] > values["dense"]
    assert values["hybrid"] > 0.67
