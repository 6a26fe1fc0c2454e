"""Exported cross-encoders: the original's scores, without torch."""

import json
import subprocess
import sys

import numpy as np
import pytest
from tests.rerank_models import make_cross_encoder, make_mpnet

from skillret.errors import EncoderError
from skillret.retrieval.rerank import load_reranker
from skillret.retrieval.rerankers.profile import RerankerProfile
from skillret.retrieval.rerankers.torch import TorchReranker
from skillret.training.reranker.export import export_reranker, is_reranker

QUERY = "please badofi now"
DOCUMENTS = ["badofi-skill | Does kemi. | Use it " * 20, "gu", "vo | a | b", ""]


@pytest.fixture(scope="module", params=[make_cross_encoder, make_mpnet], ids=["bert", "mpnet"])
def exported(request, tmp_path_factory):
    folder = request.param(tmp_path_factory.mktemp("model"))
    assert is_reranker(folder)
    out = tmp_path_factory.mktemp("onnx")
    profile = RerankerProfile("tiny", max_tokens=40, template="{name}: {body}")
    profile.save(folder)
    export_reranker(folder, out, profile, quantize=False)
    return folder, out


def test_scores_are_the_original_s(exported):
    folder, out = exported
    expected = TorchReranker(str(folder), device="cpu").scores(QUERY, DOCUMENTS)
    found = load_reranker(out)
    np.testing.assert_allclose(found.scores(QUERY, DOCUMENTS), expected, atol=1e-4)
    assert (found.name, found.template) == ("tiny", "{name}: {body}")


def test_it_needs_no_torch(exported):
    code = (
        "import sys\nfrom skillret.retrieval.rerank import load_reranker\n"
        f"print(load_reranker({str(exported[1])!r}).scores('a', ['b', 'c']).shape)\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "(2,)"


def test_what_is_wrong_with_a_folder_is_said(exported, tmp_path):
    for file in exported[1].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    profile = json.loads((tmp_path / "reranker.json").read_text())
    (tmp_path / "reranker.json").write_text(json.dumps(profile | {"weights": "0" * 64}))
    with pytest.raises(EncoderError, match=r"are not those of its reranker\.json"):
        load_reranker(tmp_path).scores("a", ["b"])
    (tmp_path / "reranker.json").unlink()
    with pytest.raises(EncoderError, match=r"is no reranker: it holds model\.onnx and no rerank"):
        load_reranker(tmp_path)
