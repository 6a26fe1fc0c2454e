"""A tiny encoder with a ranker, and data whose queries say everything in other words."""

import itertools
import json
import random
from dataclasses import replace

import pytest
import torch
from tests.retrieval.test_ranker import bm25_ranker
from tests.training.conftest import FILLER, words, write_split
from transformers import BertModel

from skillret.calibration.fit_projection import fit_projection
from skillret.encoders.onnx import OnnxEncoder
from skillret.encoders.profile import Profile
from skillret.encoders.token_projection import TokenProjection
from skillret.encoders.tokenizer import load_tokenizer
from skillret.retrieval.calibration import CALIBRATION_FILE, Calibration
from skillret.training.export import export_onnx
from skillret.training.query_tokens.model import QueryReader

DIM = 8
CONCEPTS = 12
DEV_SKILLS = 16


@pytest.fixture(scope="session")
def exported(bert, tmp_path_factory):
    """The folder of the tiny BERT as ONNX, with a projection of tokens and a ranker."""
    folder = tmp_path_factory.mktemp("query-tokens") / "encoder"
    folder = export_onnx(bert, folder, Profile("tiny", max_query_tokens=40, max_document_tokens=40))
    texts = [" ".join(words(72)[i : i + 6]) + " do it please" for i in range(60)]
    projection = fit_projection(OnnxEncoder(folder), texts, load_tokenizer(folder), DIM)
    profile = Profile.load(folder / "profile.json")
    profile = replace(profile, token_dim=DIM, token_projection=projection.save(folder))
    (folder / "profile.json").write_text(json.dumps(profile.to_json()))
    Calibration(profile.identity, bm25_ranker(), None, created="2026-01-31").save(
        folder / CALIBRATION_FILE
    )
    return folder


@pytest.fixture
def projection(exported):
    profile = Profile.load(exported / "profile.json")
    return TokenProjection.load(exported, profile.token_projection, (profile.dim, DIM))


@pytest.fixture
def reader(bert, projection):
    """Not as it begins: what it has learnt is random."""
    made = QueryReader(BertModel.from_pretrained(bert, add_pooling_layer=False), projection, 1)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in (made.query_matrix, made.document_bias, made.weigh.weight):
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return made.eval()


@pytest.fixture(scope="session")
def synonyms(tmp_path_factory):
    """Skills are pairs of concepts. Queries have words of their own for these, no skill holds any.

    Dev has pairs that train has not.
    """
    folder = tmp_path_factory.mktemp("synonyms") / "synonyms"
    vocabulary, draw = words(2 * CONCEPTS), random.Random(0)
    said, asked = vocabulary[:CONCEPTS], vocabulary[CONCEPTS:]
    pairs = list(itertools.combinations(range(CONCEPTS), 2))
    draw.shuffle(pairs)
    for split, own in (("dev", pairs[:DEV_SKILLS]), ("train", pairs[DEV_SKILLS:])):
        tables = {"skills": [], "queries": [], "qrels": []}
        for number, (i, j) in enumerate(own):
            skill, query = f"{split}-s{number}", f"{split}-q{number}"
            described, body = f"{said[i]} {said[j]} {said[i]}", f"{said[j]} {said[i]} {said[j]}"
            row = {"id": skill, "name": f"{said[j]}-{said[i]}"}
            tables["skills"].append({**row, "description": described, "skill_md": body})
            text = f"{draw.choice(FILLER)} {asked[i]} {asked[j]}"
            kind = "plain" if number % 4 else "other"
            tables["queries"].append({"id": query, "query": text, "kind": kind})
            label = {"query_id": query, "skill_id": skill, "relevance": 1}
            tables["qrels"].append(label)
        write_split(folder, split, tables)
    return folder
