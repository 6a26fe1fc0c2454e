"""What a corpus and a store must do, whatever lies behind them.

`tests/index/test_conformance.py` runs these checks over the stores of this package. Another store
is tested by a fixture `opener` of its own: a function without arguments that opens the same store
each time it is called, or gives None in the place of a second opening where that cannot be.
"""

import random
import threading
import zlib
from dataclasses import replace

import numpy as np
import pytest
from tests.conftest import HashEncoder, LateHashEncoder, make_skill
from tests.index.tools import keys_of

from skillret import Index
from skillret.arrays import distinct
from skillret.errors import IndexBusyError
from skillret.index.corpus import Moments
from skillret.index.index import _halve
from skillret.index.store import Encoded
from skillret.lexical.analyzer import make_analyzer
from skillret.lexical.bm25 import LexicalIndex, write_lexical
from skillret.lexical.grams import EXCLUDED, FIRST_NAME, gram_reader, term_codes
from skillret.skills import content_hash, document_text

WORDS = (
    "pods crash restart tables pdf commits notes release meals plan weekly the of review".split()
)
TAGS = ("office", "ops", "home")
TEXTS = ("review the pdf tables", "why do pods crash", "weekly meals plan of notes", "reveiw zebra")


def random_skill(rng, number):
    """Short texts of few words: many ties, and many terms in common."""
    words = rng.choices(WORDS, k=rng.randrange(1, 6))
    metadata = {}
    if rng.random() < 0.6:
        metadata["tag"] = rng.choice([*TAGS, rng.sample(TAGS, 2)])
    if rng.random() < 0.4:
        metadata["level"] = rng.randrange(3)
    name = "-".join(rng.choices(WORDS, k=rng.randrange(1, 4)))
    body = " ".join(rng.choices(WORDS, k=rng.randrange(0, 8)))
    return make_skill(name, " ".join(words), body, id=f"s{number}", metadata=metadata)


class Model:
    """What an index should hold, kept in a plain dictionary by the ids of the skills."""

    def __init__(self, index, encoder, seed):
        self.index, self.encoder, self.rng = index, encoder, random.Random(seed)
        self.skills = {}
        self.keys = {}  # by id
        self.last_key = 0

    def step(self):
        """One change at random, done to both; checks the report and the keys."""
        rng = self.rng
        how = rng.choice(["add", "add", "add", "remove", "update", "replace", "move"])
        some = rng.sample(sorted(self.skills), rng.randrange(min(6, len(self.skills)) + 1))
        before = dict(self.skills)
        if how == "add":
            new = [random_skill(rng, rng.randrange(60)) for _ in range(rng.randrange(6))]
            new = list({s.id: s for s in new}.values())
            report = self.index.add(new)
            self.skills |= {s.id: s for s in new}
        elif how == "remove":
            assert self.index.remove([*some, "unknown"]) == len(some)
            self.skills = {i: s for i, s in self.skills.items() if i not in some}
            report = None
        else:
            changed = dict(self.skills)
            for id_ in some:
                if how == "update":
                    del changed[id_]
                elif how == "replace":
                    changed[id_] = random_skill(rng, int(id_[1:]))
                else:
                    changed[id_] = replace(changed[id_], path=f"/{rng.randrange(9)}/SKILL.md")
            if how == "update":
                fresh = random_skill(rng, rng.randrange(60, 99))
                changed[fresh.id] = fresh
            report = self.index.update(changed.values())
            self.skills = changed
        if report is not None:
            assert report.total == len(self.skills)
            assert report.added == len(self.skills.keys() - before.keys())
            assert report.removed == len(before.keys() - self.skills.keys())
            same = [i for i in before.keys() & self.skills.keys() if before[i] == self.skills[i]]
            assert report.unchanged == len(same)
        self._follow(before)

    def _follow(self, before):
        """A key names one text and its metadata for ever, and is never used again."""
        corpus = self.index.corpus()
        keys = {r.id: k for k, r in corpus.records(keys_of(corpus)).items()}
        assert keys.keys() == self.skills.keys()
        fresh = []
        for id_, key in keys.items():
            old, new = before.get(id_), self.skills[id_]
            if old is None or (document(old), old.metadata) != (document(new), new.metadata):
                assert key > self.last_key
                fresh.append(key)
            else:
                assert key == self.keys[id_]
        self.keys, self.last_key = keys, max([self.last_key, *fresh])

    def by_key(self):
        """Key and skill in the order of keys."""
        return sorted((key, self.skills[id_]) for id_, key in self.keys.items())


def document(skill):
    return (skill.name, skill.description, skill.body)


def holds(metadata, where):
    """What a filter means."""
    for name, wanted in where.items():
        values = metadata.get(name, [])
        values = values if isinstance(values, list) else [values]
        if not set(map(str, values)) & set(
            map(str, wanted if isinstance(wanted, list) else [wanted])
        ):
            return False
    return True


FILTERS = (None, {"tag": "ops"}, {"tag": ["home", "office"], "level": 1}, {"tag": "none"})


def check_corpus(corpus, rows, encoder):
    """Every answer of a corpus against a plain count over its skills.

    Args:
        corpus: The corpus.
        rows: Key and skill of all it should hold, in the order of the keys.
        encoder: That made its vectors.
    """
    keys = np.array([key for key, _ in rows], dtype=np.int64)
    skills = [skill for _, skill in rows]
    assert len(corpus) == len(rows)
    assert keys_of(corpus) == keys.tolist()
    if not rows:
        return
    assert corpus.profile == encoder.profile
    _check_records(corpus, rows)
    texts = [document_text(s, encoder.profile.template) for s in skills]
    vectors = _halve(encoder.encode_queries(texts)).astype(np.float32)
    np.testing.assert_array_equal(corpus.vectors(keys), vectors)
    mixed = np.random.default_rng(len(keys)).permutation(len(keys))
    np.testing.assert_array_equal(corpus.vectors(keys[mixed]), vectors[mixed])
    assert corpus.vectors(keys[:0]).shape == (0, encoder.profile.dim)
    _check_tokens(corpus, keys.tolist(), texts, encoder)
    _check_nearest(corpus, keys, skills, vectors, encoder)
    _check_moments(corpus, vectors, encoder)
    _check_terms(corpus, keys, skills)
    _check_grams(corpus, keys, skills)


def _check_records(corpus, rows):
    records = corpus.records([key for key, _ in rows] + [10**9])
    assert records.keys() == {key for key, _ in rows}
    for key, s in rows:
        r = records[key]
        assert (r.key, r.id, r.name, r.description) == (key, s.id, s.name, s.description)
        assert (r.path, r.aliases, r.shadowed_by) == (s.path, s.aliases, s.shadowed_by)
        assert (r.metadata, r.user_only) == (s.metadata, s.user_only)
    assert corpus.records([]) == {}


def _check_tokens(corpus, keys, texts, encoder):
    if not encoder.profile.token_dim:
        assert corpus.tokens(keys) == {}
        return
    made = encoder.encode_document_tokens(texts).tokens
    found = corpus.tokens([*reversed(keys), 10**9])
    assert found.keys() == set(keys)
    for key, tokens in zip(keys, made, strict=True):
        assert found[key].dtype == np.int8
        np.testing.assert_array_equal(found[key], tokens)
    assert corpus.tokens(keys[2:3]).keys() == set(keys[2:3])
    assert corpus.tokens([]) == {}


def _check_nearest(corpus, keys, skills, vectors, encoder):
    asked = encoder.encode_queries([*TEXTS, document_text(skills[0], encoder.profile.template)])
    counts = [1, 3, len(keys) + 5, len(keys), 2]
    for where in FILTERS:
        own = np.array([where is None or holds(s.metadata, where) for s in skills])
        for vector, count, (nearest, cosines) in zip(
            asked, counts, corpus.nearest(asked, counts, where), strict=True
        ):
            assert (nearest.dtype, cosines.dtype) == (np.int64, np.float32)
            assert len(nearest) == min(count, own.sum())
            assert set(nearest.tolist()) <= set(keys[own].tolist())
            # Best first; of equal ones the smaller key. How sums are rounded is left open.
            assert (np.diff(cosines) <= 0).all()
            exact = dict(zip(keys.tolist(), (vectors @ vector).tolist(), strict=True))
            np.testing.assert_allclose(cosines, [exact[k] for k in nearest.tolist()], atol=2e-6)
            best = np.sort((vectors @ vector)[own])[::-1][:count]
            np.testing.assert_allclose(cosines, best, atol=2e-6)
            for a, b in zip(range(len(nearest)), range(1, len(nearest)), strict=False):
                if cosines[a] == cosines[b]:
                    assert nearest[a] < nearest[b]
    assert [len(n.keys) for n in corpus.nearest(asked, [0] * 5)] == [0] * 5
    # Skills of one document tie, whatever stands between them.
    same = {k: document(s) for k, s in zip(keys.tolist(), skills, strict=True)}
    (nearest,) = corpus.nearest(asked[-1:], [len(keys)])
    twins = [k for k in nearest.keys.tolist() if same[k] == document(skills[0])]
    assert twins == sorted(twins)


def _check_moments(corpus, vectors, encoder):
    """A sample may stand for the whole where it says so by its count; here it is the whole."""
    moments, expected = corpus.moments, Moments.of(vectors)
    assert moments.count == len(vectors)
    np.testing.assert_allclose(moments.total, expected.total, atol=1e-3)
    np.testing.assert_allclose(moments.products, expected.products, atol=1e-3)
    asked = encoder.encode_queries(TEXTS)
    cosines = asked @ vectors.T
    means, deviations = moments.cosines(asked)
    np.testing.assert_allclose(means, cosines.mean(axis=1), atol=1e-4)
    np.testing.assert_allclose(deviations, cosines.std(axis=1), atol=2e-3)


def _check_terms(corpus, keys, skills):
    """BM25 as it is over the same skills written at once."""
    fresh = LexicalIndex(write_lexical(None, zip(keys.tolist(), skills, strict=True)))
    analyze = make_analyzer().analyze
    held = [set(analyze(" ".join(document(s)))) for s in skills]
    for text in TEXTS:
        factors = {"pod": 0.5}
        terms, expected = corpus.terms(text, factors), fresh.terms(text, factors)
        assert (terms.names, terms.guessed) == (expected.names, expected.guessed)
        assert terms.factors == expected.factors
        assert terms.weights == pytest.approx(expected.weights)
        for name, weight in zip(terms.names, terms.weights, strict=True):
            count = sum(name in h for h in held)
            if name not in terms.guessed:
                assert weight == pytest.approx(np.log1p((len(keys) - count + 0.5) / (count + 0.5)))
        for where in FILTERS:
            for k in (1, 4, len(keys) + 3):
                got, scores = corpus.best(terms, k, where)
                assert (got.dtype, scores.dtype) == (np.int64, np.float32)
                every, right = fresh.search(expected, len(keys) + 3, where)
                known = dict(zip(every.tolist(), right.tolist(), strict=True))
                np.testing.assert_allclose(scores, right[:k], rtol=1e-4)
                np.testing.assert_allclose(scores, [known[i] for i in got.tolist()], rtol=1e-4)
                assert len(set(got.tolist())) == len(got)
        got, scores = corpus.best(terms, 3)
        reasons = corpus.explain(terms, got.tolist())
        for key, score in zip(got.tolist(), scores.tolist(), strict=True):
            assert sum(reasons[key].values()) == pytest.approx(score, rel=1e-4)
    nothing = corpus.terms("zzz of the")
    assert [len(a) for a in corpus.best(nothing, 3)] == [0, 0]


def _check_grams(corpus, keys, skills):
    reader = gram_reader()
    own = [set(reader.read_skill(s).tolist()) for s in skills]
    asked, _ = reader.read(TEXTS)
    codes = np.unique(np.concatenate([asked, term_codes(["pod", "pdf", "zebra"], FIRST_NAME)]))
    held = np.array([[int(c) in o for c in codes] for o in own], dtype=bool)
    np.testing.assert_array_equal(corpus.held(codes, keys), held)
    mixed = np.random.default_rng(len(keys)).permutation(len(keys))[:7]
    np.testing.assert_array_equal(corpus.held(codes, keys[mixed]), held[mixed])
    assert corpus.held(codes, keys[:0]).shape == (0, len(codes))
    assert corpus.held(codes[:0], keys).shape == (len(keys), 0)
    counts, n = held.sum(axis=0), len(keys)
    weights = np.where(counts > 0, np.log1p((n - counts + 0.5) / (counts + 0.5)), 0)
    weights[counts > max(20, 0.6 * n)] = 0
    np.testing.assert_allclose(corpus.gram_weights(codes), weights, rtol=1e-5)
    assert corpus.gram_weights(codes[:0]).shape == (0,)
    named = [sum(FIRST_NAME <= c < EXCLUDED for c in o) for o in own]
    assert corpus.name_terms(keys).tolist() == named
    assert corpus.name_terms(keys[mixed]).tolist() == [named[i] for i in mixed]


class Conformance:
    """The checks; a subclass has a fixture `opener`."""

    @pytest.mark.parametrize("seed", range(4))
    def test_after_changes_at_random_it_answers_as_a_plain_count(self, opener, seed):
        encoder = LateHashEncoder() if seed % 2 else HashEncoder()
        index = Index(opener(), encoder)
        model = Model(index, encoder, seed)
        past = []
        for number in range(25):
            model.step()
            if number % 6 == 5:
                corpus = index.corpus()
                check_corpus(corpus, model.by_key(), encoder)
                past.append((corpus, self._answers(corpus, encoder)))
                again = opener()
                if again is not None:
                    check_corpus(again.corpus(), model.by_key(), encoder)
                    again.close()
        # A generation never changes.
        for corpus, answers in past:
            assert self._answers(corpus, encoder) == answers
        assert len({corpus.generation for corpus, _ in past}) == len(past)
        index.close()

    @staticmethod
    def _answers(corpus, encoder):
        """What a corpus says, but for the records of skills that are gone."""
        answers = [len(corpus), corpus.generation]
        for text in TEXTS:
            vector = encoder.encode_queries([text])
            for where in FILTERS:
                ((keys, cosines),) = corpus.nearest(vector, [9], where)
                answers.append((keys.tolist(), cosines.tolist()))
                best, scores = corpus.best(corpus.terms(text), 9, where)
                answers.append((best.tolist(), scores.tolist()))
            codes = distinct(gram_reader().read([text])[0])
            answers.append(corpus.gram_weights(codes).tolist())
            keys = np.array(keys_of(corpus), dtype=np.int64)
            answers.append(zlib.crc32(corpus.held(codes, keys).tobytes()))
            answers.append(zlib.crc32(corpus.vectors(keys).tobytes()))
        return answers

    def test_an_empty_store_can_be_asked(self, opener):
        store = opener()
        info, corpus = store.info(), store.corpus()
        assert (info.generation, info.skills, info.pending, info.profile) == (0, 0, 0, None)
        assert len(corpus) == 0
        assert corpus.best(corpus.terms("pods"), 5)[0].tolist() == []
        assert store.states() == store.records([1]) == {}
        assert list(store.skills()) == []
        assert store.next_key() >= 1
        store.close()

    def test_the_corpus_is_one_object_as_long_as_nothing_changes(self, opener):
        index = Index(opener(), HashEncoder())
        index.add([make_skill("a")])
        corpus = index.corpus()
        assert index.corpus() is corpus
        index.store.set_meta({"fingerprint": "f"})
        assert index.corpus() is corpus
        assert index.info().fingerprint == "f"
        index.add([make_skill("b")])
        assert index.corpus() is not corpus
        assert index.corpus().generation != corpus.generation
        index.close()

    def test_keys_of_removed_skills_are_never_used_again(self, opener):
        index = Index(opener(), HashEncoder())
        used = set()
        for number in range(5):
            index.add([make_skill(f"s{number}"), make_skill("again", str(number))])
            keys = set(keys_of(index.corpus()))
            assert not used & keys
            used |= keys
            index.remove([f"s{number}", "again"])
            assert len(index) == 0
        index.close()

    def test_states_skills_and_records_of_some(self, opener):
        index = Index(opener(), HashEncoder())
        skills = [make_skill(f"s{i}", body=str(i), metadata={"n": i}) for i in range(1200)]
        index.add(skills)
        store = index.store
        states = store.states()
        assert states.keys() == {s.id for s in skills}
        assert states["s7"].content_hash == content_hash(skills[7])
        assert states["s7"].metadata == '{"n": 7}'
        assert store.states(["s7", "unknown"]) == {"s7": states["s7"]}
        assert store.states([]) == {}
        many = [state.key for state in states.values()]
        assert len(store.records(many)) == len(list(store.skills(many))) == 1200
        assert [s for _, s in store.skills()] == skills
        assert [s for _, s in store.skills([states["s7"].key, 10**9])] == [skills[7]]
        assert list(store.skills([])) == []
        assert store.damaged() == set()
        index.close()

    def test_a_change_that_fails_changes_nothing(self, opener):
        index = Index(opener(), HashEncoder())
        index.add([make_skill("a"), make_skill("b")])
        before, corpus = index.info(), index.corpus()

        def added():
            raise RuntimeError
            yield

        key = index.store.states()["a"].key
        with index.writing(), pytest.raises(RuntimeError):
            index.store.apply(added=added(), removed=[key], details=[], meta={"fingerprint": "x"})
        assert index.info() == before
        assert index.corpus() is corpus
        assert [s.id for s in index.skills()] == ["a", "b"]
        index.close()

    def test_vectors_of_a_build_under_way_are_kept_by_their_encoder(self, opener):
        store, profile = opener(), HashEncoder().profile
        vector = Encoded(b"\0" * 2 * profile.dim)
        store.add_pending(profile, {"1" * 64: vector})
        assert store.info().pending == 1
        assert store.known_vectors(profile, ["1" * 64, "2" * 64]) == {"1" * 64: vector}
        assert store.known_vectors(HashEncoder("other").profile, ["1" * 64]) == {}
        store.close()

    def test_tokens_are_kept_with_the_vectors(self, opener):
        index = Index(opener(), LateHashEncoder())
        store, profile = index.store, index.encoder.profile
        some = Encoded(b"\0" * 2 * profile.dim, b"\1" * 3 * profile.token_dim)
        none = some._replace(tokens=b"")  # a text of nothing but punctuation
        made = {"1" * 64: some, "2" * 64: none}
        store.add_pending(profile, made)
        assert store.known_vectors(profile, made) == made
        assert store.known_vectors(HashEncoder().profile, made) == {}
        index.add([make_skill("a"), make_skill("b", body="x")])
        index.encoder.encoded.clear()
        index.remove(["a"])
        index.add([make_skill("b", body="x", id="copy"), make_skill("c")])
        assert len(index.encoder.encoded) == 1
        corpus = index.corpus()
        keys = {r.id: k for k, r in corpus.records(keys_of(corpus)).items()}
        tokens = corpus.tokens(list(keys.values()))
        assert len(tokens) == 3
        np.testing.assert_array_equal(tokens[keys["b"]], tokens[keys["copy"]])
        assert store.damaged() == set()
        index.close()

    def test_only_one_thread_writes(self, opener):
        store, outcome = opener(), []

        def write():
            try:
                with store.writing(timeout=0):
                    outcome.append("wrote")
            except IndexBusyError:
                outcome.append("busy")

        for _ in range(2):
            with store.writing(), store.writing():
                other = threading.Thread(target=write)
                other.start()
                other.join()
            other = threading.Thread(target=write)
            other.start()
            other.join()
        assert outcome == ["busy", "wrote"] * 2
        store.close()
