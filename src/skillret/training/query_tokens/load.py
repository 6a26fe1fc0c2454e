"""Loading what a query's reader is trained from: one encoder, in two forms that must agree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from skillret.encoders.onnx import OnnxEncoder
from skillret.encoders.token_projection import TokenProjection
from skillret.errors import EncoderError, InputError
from skillret.files import parse_json
from skillret.retrieval.calibration import load_calibration
from skillret.retrieval.ranker import Ranker
from skillret.training.query_tokens.model import QueryReader, pad
from skillret.training.sections import ModelSection
from skillret.training.starting_model import guarded_load

__all__ = ["check_same", "load_parts", "load_reader"]

_SAME = 0.9  # least mean cosine of states of the encoder and of what is trained
_COMPARED = 8  # texts


def load_parts(folder: Path) -> tuple[OnnxEncoder, Ranker, TokenProjection]:
    """An exported encoder with its ranker and its projection.

    Args:
        folder: The model folder.

    Raises:
        InputError: If it shows no tokens for late interaction or has no ranker.
        EncoderError: If it cannot be loaded.
    """
    encoder = OnnxEncoder(folder)
    p = encoder.profile
    if not p.token_dim:
        raise InputError(
            f"the encoder in {folder} has no token_dim in its profile: late interaction needs a"
            " projection of tokens; train it with loss.late_interaction"
        )
    calibration = load_calibration(encoder)
    if calibration is None:
        raise InputError(
            f"the encoder in {folder} has no calibration: fit one with skillret calibrate DATASET"
            f" --model {folder} --fit-ranker"
        )
    projection = TokenProjection.load(folder, p.token_projection, (p.dim, p.token_dim))
    return encoder, calibration.ranker, projection


def load_reader(base: Path, projection: TokenProjection, frozen: int) -> QueryReader:
    """A reader of queries as it is before training.

    Args:
        base: Folder of the encoder as torch knows it, a `BertModel`.
        projection: Of the encoder.
        frozen: First layers that stay as they are.

    Raises:
        InputError: If it is no such folder, or does not fit.
        EncoderError: If it cannot be loaded.
    """
    from transformers import BertModel
    from transformers.utils import logging

    config = base / "config.json"
    try:
        found = parse_json(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(
            f"{base} is no folder of a model: its config.json cannot be read"
        ) from None
    if found.get("model_type") != "bert":
        raise InputError(f"{base} holds a model of type {found.get('model_type')!r}, not 'bert'")
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # it would report that nothing takes the weights of a pooler
    made = guarded_load(
        ModelSection(base=str(base)),
        lambda name, options: BertModel.from_pretrained(
            name,
            revision=options["revision"],
            local_files_only=True,
            add_pooling_layer=False,
            use_safetensors=True,  # a pickle can run code
            attn_implementation="sdpa",
            dtype=torch.float32,
        ),
    )
    logging.set_verbosity(verbosity)
    dim, layers = made.config.hidden_size, made.config.num_hidden_layers
    if dim != len(projection.mean):
        raise InputError(
            f"the model in {base} has states of {dim} values, those of the encoder have"
            f" {len(projection.mean)}: give the model that it was exported from"
        )
    if frozen > layers:
        raise InputError(f"query_tokens.frozen is {frozen}; allowed: at most {layers}, its layers")
    return QueryReader(made, projection, frozen)


def check_same(reader: QueryReader, encoder: OnnxEncoder, texts: Sequence[str]) -> None:
    """The model that is trained must begin as the encoder that read the documents.

    Args:
        reader: Before training.
        encoder: What reads the documents.
        texts: Some queries.

    Raises:
        EncoderError: If it is another one.
    """
    p, similar = encoder.profile, []
    texts = texts[:_COMPARED]
    listed = encoder.tokenize(texts, p.query_prompt, p.max_query_tokens)
    for ids, tokens in zip(listed, encoder.encode_tokens(texts), strict=True):
        with torch.no_grad():
            states = reader.encoder.eval()(*pad([ids])).last_hidden_state[0]
        exact = torch.nn.functional.cosine_similarity(states, torch.from_numpy(tokens.vectors))
        similar.append(float(exact.mean()))
    if np.mean(similar) < _SAME:
        raise EncoderError(
            f"the encoder in {encoder.folder} was not exported from the base model: the mean cosine"
            f" of their states is {np.mean(similar):.2f}"
        )
