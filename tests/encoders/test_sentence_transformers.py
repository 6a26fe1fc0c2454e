import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from skillret import load_encoder
from skillret.encoders.families import SKILL_INSTRUCTION, find_profile
from skillret.encoders.sentence_transformers import hub_is_away
from skillret.errors import EncoderError, InputError

TEXTS = ["read the pdf", "pods crash and restart", "write notes"]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A sentence-transformers folder of a BERT with two layers and a vocabulary of letters."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    letters = "abcdefghijklmnopqrstuvwxyz:"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder / "bert")
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder / "bert")
    transformer = Transformer(str(folder / "bert"), max_seq_length=64)
    model = SentenceTransformer(
        modules=[transformer, Pooling(16, pooling_mode="mean")],
        prompts={"query": "ask: "},
        device="cpu",
    )
    model.save(str(folder / "some-model"))
    model.save(str(folder / "e5-small-tiny"))
    return folder


def test_an_unknown_model_gets_its_own_prompts_and_a_note(tiny):
    encoder = load_encoder(str(tiny / "some-model"))
    assert encoder.profile.query_prompt == "ask: "
    assert encoder.profile.max_document_tokens == 64
    assert "no profile" in encoder.note
    assert (encoder.profile.dim, len(encoder.profile.weights)) == (16, 64)


def test_a_known_family_gets_its_profile_and_prompts_are_applied_once(tiny):
    from sentence_transformers import SentenceTransformer

    encoder = load_encoder(str(tiny / "e5-small-tiny"))
    assert encoder.note is None
    assert encoder.profile.max_query_tokens == 64  # never above what the model was built for
    model = SentenceTransformer(str(tiny / "e5-small-tiny"), device="cpu")
    for ours, prompt in (
        (encoder.encode_queries(TEXTS), "query: "),
        (encoder.encode_documents(TEXTS), "passage: "),
    ):
        expected = model.encode([prompt + t for t in TEXTS], prompt="", normalize_embeddings=True)
        np.testing.assert_allclose(ours, expected, atol=1e-5)
        assert ours.dtype == np.float32


def test_weights_and_not_the_name_make_the_identity(tiny):
    a = load_encoder(str(tiny / "some-model")).profile
    b = load_encoder(str(tiny / "e5-small-tiny")).profile
    assert a.weights == b.weights
    assert a.identity != b.identity  # another document prompt


def test_a_folder_is_known_and_a_path_will_do(tiny):
    encoder = load_encoder(tiny / "some-model")
    assert encoder.folder == tiny / "some-model"
    assert encoder.profile.name == str(tiny / "some-model")


def test_threads_may_share_an_encoder(tiny):
    """With different limits too: the model holds the limit of whoever came last."""
    encoder = load_encoder(tiny / "some-model")
    encoder.profile = replace(encoder.profile, max_query_tokens=8)
    texts = [f"{text} " * 10 for text in TEXTS]
    jobs = [encoder.encode_queries, encoder.encode_documents]
    expected = [job(texts) for job in jobs]
    assert not np.allclose(*expected)
    with ThreadPoolExecutor(6) as threads:
        done = [(n % 2, threads.submit(jobs[n % 2], texts)) for n in range(60)]
        for which, one in done:
            np.testing.assert_allclose(one.result(), expected[which], atol=1e-6)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_child_forked_beside_a_turn_can_take_its_own(tiny):
    code = f"""
import os, sys, threading
from skillret import load_encoder
encoder = load_encoder({str(tiny / "some-model")!r}, device="cpu")
with encoder._turn():
    child = os.fork()
    if child == 0:
        os._exit(0 if encoder._turn().acquire(timeout=30) else 4)
    sys.exit(os.waitpid(child, 0)[1])
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=120)
    assert done.returncode == 0


@pytest.mark.parametrize("texts", ["pods", ["pods", None]])
def test_what_is_no_list_of_texts_is_refused(tiny, texts):
    encoder = load_encoder(tiny / "some-model")
    for encode in (encoder.encode_queries, encoder.encode_documents):
        with pytest.raises(InputError, match="takes a list of texts"):
            encode(texts)


def test_what_cannot_be_loaded_is_one_clear_error(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "invented"}))
    with pytest.raises(EncoderError, match="cannot load the model") as e:
        load_encoder(str(tmp_path))
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("model", "query", "document"),
    [
        ("ThakiCloud/SkillRet-Embedding-0.6B", SKILL_INSTRUCTION, ""),
        ("Qwen/Qwen3-Embedding-0.6B", SKILL_INSTRUCTION, ""),
        ("BAAI/bge-small-en-v1.5", "Represent this sentence for searching relevant passages: ", ""),
        ("BAAI/bge-m3", "", ""),
        ("intfloat/e5-small-v2", "query: ", "passage: "),
        ("intfloat/multilingual-e5-base", "query: ", "passage: "),
        ("intfloat/multilingual-e5-large-instruct", SKILL_INSTRUCTION, ""),
        (
            "Snowflake/snowflake-arctic-embed-s",
            "Represent this sentence for searching relevant passages: ",
            "",
        ),
        ("Snowflake/snowflake-arctic-embed-m-v2.0", "query: ", ""),
        ("sentence-transformers/all-MiniLM-L6-v2", "", ""),
    ],
)
def test_families_are_known_by_name(model, query, document):
    profile = find_profile(model)
    assert profile is not None
    assert (profile.name, profile.query_prompt, profile.document_prompt) == (model, query, document)


def test_a_folder_above_a_model_decides_nothing():
    assert find_profile("/data/bge-small-en/models/2024/mine") is None


def test_a_hub_that_is_away_is_asked_once_and_not_for_a_minute():
    # Nothing listens there.
    code = (
        "from skillret import load_encoder\n"
        "from skillret.errors import EncoderError\n"
        "import logging\n"
        "logging.basicConfig()\n"  # each retry is logged
        "try:\n    load_encoder('owner/name')\n"
        "except EncoderError as e:\n    print(e)\n"
    )
    environment = os.environ | {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("cannot load the model 'owner/name'")
    assert "Retrying" not in done.stderr


def test_a_hub_that_answers_is_not_away(monkeypatch):
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    class MissingError(RepositoryNotFoundError):
        def __init__(self):
            pass

    def missing(*arguments, **settings):
        raise MissingError

    monkeypatch.setattr(HfApi, "model_info", missing)
    assert not hub_is_away("owner/name", "")
    monkeypatch.setattr(HfApi, "model_info", lambda *arguments, **settings: None)
    assert not hub_is_away("owner/name", "main")
