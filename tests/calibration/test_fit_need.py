from dataclasses import replace

import numpy as np
import pytest
from tests.conftest import HashEncoder, make_skill
from tests.retrieval.test_ranker import make_ranker

from skillret.calibration import fit_need as need
from skillret.calibration.examples import FOLDS, Example, Pool, fold_numbers
from skillret.calibration.fit_need import fit_need, fit_probes, rescale_need, short_queries
from skillret.calibration.written import written
from skillret.evaluation.abstention import auroc
from skillret.retrieval.features import FITTED
from skillret.types import Query

TASKS, IDLE, TURNS, BACKGROUND = map(written, ("tasks", "idle", "turns", "background"))
SKILLS = [
    make_skill("resize-images", "Resizes images, in bulk. Use it for thumbnails."),
    make_skill("x", "Does far too many different things in one sentence that never seems to end"),
    make_skill("tax", "File taxes when the year ends"),
]


def pool(queries=(), gold=None):
    return Pool(SKILLS, np.eye(3, 32, dtype=np.float32), list(queries), gold or {})


def test_commands_are_names_and_first_words_of_descriptions_and_talk_needs_nothing():
    made = short_queries(pool(), 0)
    commands = [q for q in made.queries if q.extra["kind"] == "command"]
    wanted = {"resize images": 0, "resizes images": 0, "x": 1, "tax": 2, "file taxes": 2}
    for query in commands:
        words = max((w for w in wanted if w in query.text.lower()), key=len)
        assert made.gold[query.id] == {wanted.pop(words)}
    assert not wanted
    for kind, texts in (("turn", TURNS), ("casual", IDLE)):
        talk = [q for q in made.queries if q.extra["kind"] == kind]
        assert [q.text for q in talk] == list(texts)
        polite = [q for q in made.queries if q.extra["kind"] == f"{kind}, asked"]
        assert [q.extra["plain"] for q in polite] == list(texts)
        assert not any(q.id in made.gold for q in (*talk, *polite))
        folds = fold_numbers(made.queries, made.gold)  # or a fold would know the other's texts
        assert [folds[q.id] for q in polite] == [folds[q.id] for q in talk]
    number = len(commands) + 2 * (len(TURNS) + len(IDLE))
    assert len({q.id for q in made.queries}) == len(made.queries) == number
    assert short_queries(pool(), 0).queries == made.queries


def labelled():
    asked = [Query(f"q{i}", f"please convert file number{i}", {"kind": "k"}) for i in range(75)]
    chat = [Query(f"n{i}", f"hello my friend{i}", {"kind": "negative"}) for i in range(30)]
    # Enough of them for their commands to stand up to all the talk.
    more = [make_skill(f"resize-images-{i}", f"Resizes images of kind{i}.") for i in range(60)]
    found = pool([*asked, *chat], {q.id: frozenset({0}) for q in asked})
    return replace(found, skills=[*SKILLS, *more])


def test_a_probe_tells_what_asks_and_knows_nothing_of_its_fold():
    whole, short, encoder = labelled(), short_queries(labelled(), 0), HashEncoder()
    queries = [*whole.queries, *short.queries]
    folds = fold_numbers(queries, {**whole.gold, **short.gold})
    probes = fit_probes(whole, short, folds, encoder)
    assert len(probes) == FOLDS + 1
    last = probes[-1]
    vectors = encoder.encode_queries(["please convert this file", "hello friend", "resize images"])
    asked, chat, command = last.asking(vectors)
    assert asked > 0.8
    assert chat < 0.4
    assert command > 1.5 * chat
    assert np.median(last.asking(encoder.encode_queries(list(BACKGROUND)))) < 0.4
    tasks, idle = (last.asking(encoder.encode_queries(list(t))) for t in (TASKS, IDLE))
    assert auroc(tasks, idle) > 0.7
    # All queries that ask share one skill and so one fold: its probe has seen none of them.
    fold = folds["q0"]
    assert probes[fold].asking(vectors)[0] < asked


def judged(count, *, asks, kind="k", seed=0, evidence=None, skills=1000, noise=0.0):
    draw = np.random.default_rng(seed)
    found, outputs = [], []
    for i in range(count):
        labels = np.array([float(asks), 0.0])
        e = draw.normal(2.0 if asks else -2.0) if evidence is None else evidence
        query = Query(f"{kind}{asks}{i}", "text", {"kind": kind})
        x, rows = np.zeros((2, len(FITTED)), dtype=np.float32), np.arange(2)
        none, parts = np.zeros(2, dtype=np.float32), np.zeros(2, dtype=np.int64)
        found.append(Example(query, rows, x, none, parts, e, labels, 0, 0, skills))
        outputs.append(draw.normal(1.5 if asks else -1.5, 1.0, 2) + noise)
    return found, outputs


def needs(ranker, found, outputs):
    return [ranker.need(o, e.evidence, e.skills) for e, o in zip(found, outputs, strict=True)]


def test_need_is_fitted_to_evidence_and_output():
    parts = [judged(200, asks=True), judged(100, asks=False), judged(40, asks=True, kind="command")]
    found = [e for p in parts for e in p[0]]
    outputs = [o for p in parts for o in p[1]]
    ranker = fit_need(make_ranker(), found, outputs, whole=300, short=40)
    likely = needs(ranker, found, outputs)[:300]
    assert auroc(likely[:200], likely[200:]) > 0.95
    assert ranker.need_weight > 0
    assert ranker.need_slope > 0


def test_commands_with_little_evidence_lift_the_need_of_all(monkeypatch):
    parts = [
        judged(200, asks=True),
        judged(100, asks=False),
        judged(60, asks=True, kind="command", evidence=-2.0),
    ]
    found = [e for p in parts for e in p[0]]
    outputs = [o for p in parts for o in p[1]]

    def of_command(weight):
        monkeypatch.setitem(need._WEIGHTS, "command", weight)
        ranker = fit_need(make_ranker(), found, outputs, whole=300, short=60)
        return ranker.need(np.array([1.5]), -2.0, 1000)

    assert of_command(1.0) > of_command(0.01)


def test_as_many_needless_requests_are_turned_away_in_a_small_library():
    parts = [
        judged(200, asks=True),
        judged(200, asks=False, kind="negative"),
        judged(200, asks=True, skills=50, seed=1),
        judged(200, asks=False, kind="negative", skills=50, seed=2, noise=-1.0),
    ]
    found = [e for p in parts for e in p[0]]
    outputs = [o for p in parts for o in p[1]]
    ranker = fit_need(make_ranker(), found, outputs, whole=400, short=0)
    assert ranker.need_size > 0
    assert ranker.need_skills == 1000
    high = []
    for start, skills in ((200, 1000), (600, 50)):
        pairs = zip(found[start : start + 200], outputs[start : start + 200], strict=True)
        odds = [ranker.need_odds(o, e.evidence, skills) for e, o in pairs]
        high.append(np.quantile(odds, 0.9))
    assert high[0] == pytest.approx(high[1], abs=0.05)


def test_rescaling_keeps_the_order_and_fits_the_level():
    parts = [judged(50, asks=True), judged(50, asks=False)]
    found = [e for p in parts for e in p[0]]
    outputs = [o for p in parts for o in p[1]]
    before = make_ranker(need_intercept=-9.0)
    ranker = rescale_need(before, found, outputs, [True] * 50 + [False] * 50)
    likely = needs(ranker, found, outputs)
    odds = [before.need_odds(o, e.evidence, e.skills) for o, e in zip(outputs, found, strict=True)]
    assert (np.diff(np.array(likely)[np.argsort(odds)]) >= 0).all()
    assert np.mean(likely) == pytest.approx(0.5, abs=0.02)
