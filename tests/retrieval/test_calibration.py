import base64
import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import HashEncoder, LateHashEncoder
from tests.retrieval.test_ranker import WITHOUT_LATE, make_ranker

import skillret.encoders
from skillret import load_encoder
from skillret.encoders import Profile
from skillret.errors import EncoderError, SkillretError
from skillret.retrieval.calibration import (
    CALIBRATION_FILE,
    SAMPLE,
    Calibration,
    FittedOn,
    QueryDigests,
    load_calibration,
)

PACKAGED = Path(skillret.encoders.__file__).parent / "default"
PROFILE = HashEncoder().profile


def fitted_on(texts=("pods crash", "plan meals"), purpose=("ranker",), name="toy"):
    return FittedOn(name, "rev", "dev", len(texts), purpose, QueryDigests.of(texts))


def make_calibration(**fields):
    values = {
        "encoder": PROFILE.identity,
        "ranker": make_ranker(),
        "threshold": 0.25,
        "fitted_on": (fitted_on(),),
        "texts": {"tasks.txt": "0" * 64},
        "created": "2026-01-31",
    }
    return Calibration(**{**values, **fields})


def test_it_survives_its_file(tmp_path):
    file, calibration = tmp_path / "c.json", make_calibration()
    calibration.save(file)
    again = Calibration.load(file, PROFILE)
    assert again.to_json() == calibration.to_json()
    assert again.id == calibration.id
    assert again.threshold == 0.25
    assert again.fitted_on == calibration.fitted_on
    json.loads(file.read_text(), parse_constant=pytest.fail)
    bare = make_calibration(threshold=None, fitted_on=(), texts={})
    bare.save(file)
    assert Calibration.load(file, PROFILE).threshold is None


def test_its_id_names_what_was_fitted_and_not_where_it_comes_from():
    calibration = make_calibration()
    assert re.fullmatch("[0-9a-f]{12}", calibration.id)
    for same in ({"created": "2026-02-01"}, {"fitted_on": ()}, {"texts": {}}):
        assert replace(calibration, **same).id == calibration.id
    for other in ({"threshold": 0.26}, {"encoder": "x"}, {"ranker": make_ranker(1)}):
        assert replace(calibration, **other).id != calibration.id


def test_it_knows_the_queries_that_it_was_fitted_on():
    entries = (fitted_on(), fitted_on(("thanks",), ("thresholds",)))
    calibration = make_calibration(fitted_on=entries)
    queries = [" Pods\ncrash", "thanks", "plan a trip", "PLAN  MEALS"]
    assert calibration.seen(queries) == 0.75
    assert calibration.seen(queries, "ranker", "helped") == 0.5
    assert calibration.seen(queries, "helped") == 0
    assert calibration.seen([]) == 0
    assert make_calibration(fitted_on=()).seen(queries) == 0


def test_of_queries_that_merely_helped_a_sample_says_how_many_it_knows():
    train, dev = ([f"{split} query {i}" for i in range(2000)] for split in ("train", "dev"))
    helped = QueryDigests.of(train, SAMPLE)
    assert len(helped) == pytest.approx(2000 / SAMPLE, rel=0.2)
    assert helped.within(helped)
    assert helped.within(QueryDigests.of(train))
    assert not QueryDigests.of(train[:9]).within(helped)
    entries = (
        FittedOn("toy", "rev", "train", 2000, ("helped",), helped),
        fitted_on(dev[:1000], ("ranker",)),
    )
    calibration = make_calibration(fitted_on=entries)
    assert calibration.seen(train) == 1
    assert calibration.seen(dev) == 0.5
    assert calibration.seen(dev, "helped") == 0
    half = [*train[:600], *(f"another {i}" for i in range(600))]
    assert calibration.seen(half) == pytest.approx(0.5, abs=0.08)
    both = [*dev[:300], *half]  # the exact share and the estimate of the rest
    assert calibration.seen(both) == pytest.approx(0.6, abs=0.08)
    assert calibration.seen(["unheard of"]) == calibration.seen([]) == 0


@given(st.lists(st.text()), st.text())
def test_digests_are_a_set(texts, other):
    digests = QueryDigests.of(texts)
    assert QueryDigests.parse(str(digests)) == digests == QueryDigests.of(reversed(texts * 2))
    assert all(text in digests for text in texts)
    assert len(digests) <= len(texts)
    if " ".join(other.casefold().split()) not in {" ".join(t.casefold().split()) for t in texts}:
        assert other not in digests
    assert digests.within(QueryDigests.of([*texts, other]))
    assert not QueryDigests.of([*texts, "a text of its own"]).within(QueryDigests.of(texts[:1]))


@given(st.one_of(st.text(), st.binary().map(lambda b: base64.b64encode(b).decode()), st.none()))
def test_what_is_no_set_of_digests_is_an_error_and_nothing_else(text):
    try:
        assert str(QueryDigests.parse(text)) == text
    except ValueError as e:
        assert "digests of queries" in str(e)


def test_an_unsorted_set_is_refused():
    twice = base64.b64encode(b"\0\0\0\1" * 2).decode()
    for text in (twice, base64.b64encode(b"\0\0\0\2\0\0\0\1").decode(), "AAAA", "=", 5):
        with pytest.raises(ValueError, match="digests of queries"):
            QueryDigests.parse(text)
    one, eight = (base64.b64encode(bytes([0, 0, 0, last])).decode() for last in (1, 8))
    assert len(QueryDigests.parse(eight, SAMPLE)) == len(QueryDigests.parse(one)) == 1
    for text, one_in in ((one, SAMPLE), (eight, 0), (eight, 3), (eight, True), (eight, "8")):
        with pytest.raises(ValueError, match="digests of queries"):
            QueryDigests.parse(text, one_in)


def test_other_weights_are_refused_with_the_remedy(tmp_path):
    make_calibration().save(tmp_path / "c.json")
    other = replace(PROFILE, weights="1" * 64)
    with pytest.raises(EncoderError, match=r"other weights.*skillret calibrate.*--fit-ranker"):
        Calibration.load(tmp_path / "c.json", other)
    # How queries are read is no part of an identity, nor is a name.
    Calibration.load(tmp_path / "c.json", replace(PROFILE, name="renamed", dense_weight=0.1))


def test_a_ranker_that_goes_by_tokens_needs_an_encoder_that_shows_them(tmp_path):
    file, late = tmp_path / "c.json", LateHashEncoder().profile
    ranker = make_ranker(features=("late_gap", *WITHOUT_LATE[1:]))
    make_calibration(ranker=ranker, encoder=late.identity).save(file)
    assert Calibration.load(file, late).ranker.features == ranker.features
    plain = HashEncoder().profile
    make_calibration(ranker=ranker, encoder=plain.identity).save(file)
    with pytest.raises(EncoderError, match="goes by tokens, which hash-seed does not show"):
        Calibration.load(file, plain)


def test_a_later_version_says_so(tmp_path):
    file = tmp_path / "c.json"
    file.write_text(json.dumps({**make_calibration().to_json(), "version": 2}))
    with pytest.raises(EncoderError, match="later version of skillret; upgrade"):
        Calibration.load(file, PROFILE)


@pytest.mark.parametrize(
    "damage",
    [
        {"threshold": 2},
        {"threshold": True},
        {"threshold": "0.5"},
        {"threshold": float("nan")},
        {"invented": float("inf")},
        {"version": 0},
        {"version": "1"},
        {"encoder": 5},
        {"created": "yesterday"},
        {"texts": []},
        {"texts": {"a.txt": "zz"}},
        {"texts": {str(i): "0" * 64 for i in range(200)}},
        {"fitted_on": {}},
        {"fitted_on": [1]},
        {"fitted_on": [{}]},
        {"fitted_on": [fitted_on().to_json()] * 200},
        {"fitted_on": [{**fitted_on().to_json(), "purpose": ["fun"]}]},
        {"fitted_on": [{**fitted_on().to_json(), "purpose": [[]]}]},
        {"fitted_on": [{**fitted_on().to_json(), "purpose": []}]},
        {"fitted_on": [{**fitted_on().to_json(), "n_queries": 0}]},
        {"fitted_on": [{**fitted_on().to_json(), "dataset": "x" * 5000}]},
        {"fitted_on": [{**fitted_on().to_json(), "queries": "AAAA"}]},
        {"fitted_on": [{**fitted_on().to_json(), "one_in": 2}]},
        {"ranker": None},
        {"ranker": {}},
        {"dataset": "\ud800"},
    ],
)
def test_a_malformed_file_is_one_clear_line(damage, tmp_path):
    file = tmp_path / "c.json"
    file.write_text(json.dumps({**make_calibration().to_json(), **damage}))
    with pytest.raises(EncoderError, match=r"c\.json") as caught:
        Calibration.load(file, PROFILE)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("part", list(make_calibration().to_json()))
def test_a_file_without_a_part_is_an_error(part, tmp_path):
    data = make_calibration().to_json()
    del data[part]
    (tmp_path / "c.json").write_text(json.dumps(data))
    with pytest.raises(EncoderError, match=f"malformed: '{part}' is missing"):
        Calibration.load(tmp_path / "c.json", PROFILE)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 10_000, "\udcff", " " * (5 << 20)])
def test_what_is_no_json_object_is_refused(text, tmp_path):
    file = tmp_path / "c.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(EncoderError, match="cannot read the calibration"):
        Calibration.load(file, PROFILE)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.data())
def test_whatever_a_file_holds_is_read_or_refused(tmp_path_factory, data):
    document = make_calibration().to_json()
    place, key = document, data.draw(st.sampled_from(list(document)))
    while isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
        place = place[key]
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
    place[key] = data.draw(PLAIN)
    file = tmp_path_factory.getbasetemp() / "fuzzed.json"
    file.write_text(json.dumps(document))
    try:
        again = Calibration.load(file, PROFILE)
    except EncoderError as e:
        assert "\n" not in str(e)
    else:
        assert 0 <= again.seen(["pods crash"]) <= 1
        x = np.zeros((2, len(again.ranker.features)), dtype=np.float32)
        assert np.isfinite(again.ranker.outputs(x)).all()


def test_a_file_that_cannot_be_read_or_written_is_an_error(tmp_path):
    with pytest.raises(EncoderError, match="No such file"):
        Calibration.load(tmp_path / "none.json", PROFILE)
    with pytest.raises(EncoderError, match="it is no file"):
        Calibration.load(tmp_path, PROFILE)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(EncoderError, match="it is no file"):
        Calibration.load(tmp_path / "pipe", PROFILE)
    with pytest.raises(SkillretError, match="cannot write"):
        make_calibration().save(tmp_path / "pipe" / "c.json")


def test_an_encoder_s_own_is_that_in_its_folder(tmp_path):
    encoder = HashEncoder()
    assert load_calibration(encoder) is None  # of no folder
    encoder.folder = tmp_path
    assert load_calibration(encoder) is None
    own, other = make_calibration(), make_calibration(threshold=0.75)
    own.save(tmp_path / CALIBRATION_FILE)
    assert load_calibration(encoder).id == own.id
    other.save(tmp_path / "other.json")
    assert load_calibration(encoder, tmp_path / "other.json").id == other.id
    assert load_calibration(encoder, str(tmp_path / "other.json")).threshold == 0.75
    with pytest.raises(EncoderError, match="No such file"):
        load_calibration(encoder, tmp_path / "none.json")


def test_a_ranker_in_a_profile_is_not_lost_in_silence(tmp_path):
    model = tmp_path / "model"
    shutil.copytree(PACKAGED, model)
    (model / CALIBRATION_FILE).unlink()
    encoder = load_encoder(str(model))
    assert load_calibration(encoder) is None
    profile = json.loads((model / "profile.json").read_text())
    (model / "profile.json").write_text(json.dumps({**profile, "ranker": {"mean": [1]}}))
    assert load_encoder(str(model)).profile == encoder.profile
    with pytest.raises(EncoderError, match=r"ranker in profile\.json.*skillret calibrate"):
        load_calibration(encoder)
    shutil.copyfile(PACKAGED / CALIBRATION_FILE, model / CALIBRATION_FILE)
    assert load_calibration(encoder) is not None


def test_the_packaged_one_is_small_and_says_where_it_comes_from():
    file = PACKAGED / CALIBRATION_FILE
    assert file.stat().st_size < 60_000
    assert (PACKAGED / "profile.json").stat().st_size < 2_000
    calibration = load_calibration(load_encoder())
    assert calibration.encoder == Profile.load(PACKAGED / "profile.json").identity
    train, dev = calibration.fitted_on
    assert (dev.dataset, dev.revision, dev.split) == ("openskillret", "a09fcd78cb6f", "dev")
    assert dev.n_queries == len(dev.queries) == 2482 + 224
    assert dev.purpose == ("ranker", "need", "thresholds")
    assert (train.split, train.purpose) == ("train", ("helped", "terms"))
    assert len(train.queries) == pytest.approx(train.n_queries / SAMPLE, rel=0.1)


@pytest.mark.data
def test_the_packaged_one_knows_its_queries(openskillret):
    from skillret.datasets.dataset import load_dataset

    calibration = load_calibration(load_encoder())
    dev = load_dataset(str(openskillret), "dev")
    assert dev.revision == calibration.fitted_on[1].revision
    assert calibration.seen([q.text for q in (*dev.queries, *dev.negatives)]) == 1
    train = load_dataset(str(openskillret), "train")
    assert calibration.seen([q.text for q in train.queries], "helped") > 0.1
    assert calibration.seen([q.text + " again" for q in dev.queries]) == 0
