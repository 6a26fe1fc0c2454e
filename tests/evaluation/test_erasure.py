from dataclasses import replace

import numpy as np
import pytest

from skillret.datasets.dataset import load_dataset
from skillret.errors import DatasetError, InputError
from skillret.evaluation.erasure import CONDITIONS, METRICS, analyze_erasure
from skillret.evaluation.evaluator import score
from skillret.evaluation.report import write_erasure_report
from skillret.evaluation.systems import make_run
from skillret.types import Query

LONG = "It was a long day. My pods crash and restart. The weather is fine."
TWO = "Extract tables from PDF files. Plan meals and a shopping list!"


@pytest.fixture
def loaded(dataset):
    """One query of three sentences, one of two with a gold skill each, one of one."""
    loaded = load_dataset(str(dataset), "dev")
    texts = {"q1": LONG, "q2": TWO, "q3": "notes for the release"}
    return replace(loaded, queries=[replace(q, text=texts[q.id]) for q in loaded.queries])


def by_hand(loaded, encoder, mode, query, text):
    """Metrics of one text, by the usual way: a run that is scored."""
    one = replace(loaded, qrels={query: loaded.qrels[query]})
    found, _ = make_run(one, mode, encoder, texts=[(query, text)])
    return score(one, found, "run", "x", (10,)).per_query[query]


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_every_condition_is_what_searching_by_hand_gives(loaded, encoder, mode):
    found = analyze_erasure(loaded, mode, encoder)
    assert [r.query.id for r in found.queries] == ["q1", "q2"]
    assert (found.n_eligible, found.n_short) == (2, 1)
    for query in found.queries:
        parts, id_ = list(query.sentences), query.query.id
        rest = [" ".join(parts[:i] + parts[i + 1 :]) for i in range(len(parts))]
        erased = [by_hand(loaded, encoder, mode, id_, text) for text in rest]
        assert query.metrics["whole"] == by_hand(loaded, encoder, mode, id_, query.query.text)
        assert query.metrics["most_erased"] == erased[query.most]
        assert query.metrics["least_erased"] == erased[int(np.argmin(query.importance))]
        only = by_hand(loaded, encoder, mode, id_, parts[query.most])
        assert query.metrics["most_only"] == only
        for metric in METRICS:
            mean = np.mean([e[metric] for e in erased])
            assert query.metrics["random_erased"][metric] == pytest.approx(mean)


def test_the_sentence_that_names_the_skill_is_the_most_important(loaded, encoder):
    for mode in ("dense", "lexical"):
        found = analyze_erasure(loaded, mode, encoder)
        first = found.queries[0]
        assert first.sentences[first.most] == "My pods crash and restart."
    # Without it BM25 has nothing to go by; with nothing else it has all it needs.
    assert first.metrics["most_erased"]["ndcg@10"] == 0
    assert first.metrics["most_only"]["ndcg@10"] == 1


def test_importance_by_ndcg_breaks_ties_by_the_score(loaded, encoder):
    by_score = analyze_erasure(loaded, "lexical", encoder).queries[0]
    by_ndcg = analyze_erasure(loaded, "lexical", encoder, importance="ndcg@10").queries[0]
    assert by_ndcg.most == by_score.most
    assert by_ndcg.importance[by_ndcg.most] == pytest.approx(1, abs=1e-5)


def test_the_sample_is_seeded_and_no_larger_than_there_is(loaded, encoder):
    queries = [Query(f"m{n}", f"{LONG} Number {n}.") for n in range(12)]
    many = replace(
        loaded, queries=queries, qrels={q.id: {"kubernetes-debugging": 1} for q in queries}
    )

    def sample(seed, size=4):
        found = analyze_erasure(many, "lexical", encoder, max_queries=size, seed=seed)
        assert found.n_eligible == 12
        return [r.query.id for r in found.queries]

    assert sample(0) == sample(0)
    assert len({tuple(sample(seed)) for seed in range(4)}) > 1
    assert len(sample(0, 99)) == 12


def test_numbers_for_people_and_programs_agree(loaded, encoder):
    found = analyze_erasure(loaded, "lexical", encoder)
    document = found.to_json()
    assert list(document["conditions"]) == list(CONDITIONS)
    whole = document["conditions"]["whole"]["ndcg@10"]
    most = document["conditions"]["most_erased"]["ndcg@10"]
    assert most["change"]["mean"] == pytest.approx(most["mean"] - whole["mean"])
    assert most["relative"] == pytest.approx(most["change"]["mean"] / whole["mean"])
    assert document["groups"]["k=1"]["n_queries"] == 1
    assert "k=3" not in document["groups"]
    assert document["mean_sentences"] == 2.5


def test_progress_reaches_its_total(loaded, encoder):
    steps = []
    analyze_erasure(
        loaded, "dense", encoder, searched=lambda done, total: steps.append((done, total))
    )
    # Two queries whole, five erasures, two sentences alone.
    assert steps == [(n, 9) for n in range(1, 10)]


def test_bad_input(loaded, encoder):
    with pytest.raises(InputError, match="at least 2 sentences"):
        analyze_erasure(loaded, "lexical", encoder, min_sentences=1)
    with pytest.raises(DatasetError, match="has 9 sentences or more"):
        analyze_erasure(loaded, "lexical", encoder, min_sentences=9)


def test_the_report_marks_the_sentence(loaded, encoder, tmp_path):
    nasty = replace(loaded.queries[0], text=f"<b>{LONG}</b>")
    loaded = replace(loaded, queries=[nasty, *loaded.queries[1:]])
    found = analyze_erasure(loaded, "lexical", encoder)
    text = write_erasure_report(loaded, found, tmp_path).read_text()
    assert '<span class="key">My pods crash and restart.</span>' in text
    assert "<b>It was" not in text and "&lt;b&gt;It was" in text
    assert sorted(f.name for f in tmp_path.iterdir() if f.is_file()) == [
        "erasure.png",
        "report.html",
    ]
