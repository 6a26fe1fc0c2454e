import numpy as np
import pytest

from skillret import load_encoder
from skillret.encoders import check_texts, check_vectors
from skillret.errors import EncoderError, InputError


def test_nan_from_an_encoder_is_refused():
    with pytest.raises(EncoderError, match="1 of 2 vectors"):
        check_vectors(np.array([[1, 2], [np.nan, 0]], dtype=np.float32), "bad")


@pytest.mark.parametrize("texts", ["pods", b"pods", ["pods", None], [["pods"]], [b"pods"]])
def test_what_is_no_list_of_texts_is_refused(texts):
    encoder = load_encoder()
    for encode in (encoder.encode_queries, encoder.encode_documents, encoder.encode_tokens):
        with pytest.raises(InputError, match="takes a list of texts"):
            encode(texts)


def test_any_sequence_of_texts_is_taken():
    assert check_texts(("a", "")) == check_texts(np.array(["a", ""])) == ["a", ""]
