import numpy as np
import pytest

from skillret.encoders.onnx import OnnxEncoder
from skillret.encoders.token_projection import widen
from skillret.skills import document_text
from skillret.training.query_tokens.states import open_states, write_states
from skillret.types import Skill

SKILLS = [
    Skill("a", "badofi", "Does badofi and more badofi.", "now with my badofi"),
    Skill("b", "b", "", "."),
    Skill("c", "please", "Help with this.", " ".join(f"{c}x{c}" for c in "abcdefghijklmnop")),
]


@pytest.fixture
def encoder(exported):
    return OnnxEncoder(exported)


def test_they_are_those_of_the_tokens_that_an_index_keeps(encoder, projection, tmp_path):
    states = write_states(encoder, SKILLS, tmp_path, "train")
    texts = [document_text(skill, encoder.profile.template) for skill in SKILLS]
    vectors, tokens = encoder.encode_document_tokens(texts)
    np.testing.assert_allclose(states.vectors, vectors, atol=1e-6)
    read, there = states.of([0, 1, 2])
    assert there.sum(1).tolist() == [len(t) for t in tokens]
    for own, counts, kept in zip(read, there, tokens, strict=True):
        unit = own[counts].numpy()
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        made = (unit - projection.mean) @ projection.matrix
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        assert (made * widen(kept)).sum(axis=1).min(initial=1) > 0.99  # float16, and int8


def test_any_rows_can_be_had_in_any_order(encoder, tmp_path):
    states = write_states(encoder, SKILLS, tmp_path, "train")
    every, there = states.of([0, 1, 2])
    some, counts = states.of([2, 0])
    for line, row in enumerate([2, 0]):
        np.testing.assert_array_equal(some[line][counts[line]], every[row][there[row]])
    assert not some[~counts].any()


def test_they_are_found_again_once_all_are_written(encoder, tmp_path):
    assert open_states(tmp_path, "train") is None

    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_states(encoder, SKILLS, tmp_path, "train", stop)
    assert open_states(tmp_path, "train") is None
    made = write_states(encoder, SKILLS, tmp_path, "train")
    found = open_states(tmp_path, "train")
    assert open_states(tmp_path, "dev") is None
    for name in ("tokens", "ends", "vectors"):
        np.testing.assert_array_equal(getattr(found, name), getattr(made, name))


def test_of_equal_tokens_the_first_is_kept_and_of_many_the_first_ones(projection):
    silent, stop = int(projection.silent[0]), int(projection.stop_words[0])
    free = [i for i in range(40, 300) if i not in {*projection.silent, *projection.stop_words}]
    ids = [silent, free[0], free[0], stop, free[1], free[0]]
    assert projection.places(ids).tolist() == [1, 4]
    assert len(projection.places(free)) == projection.kept
