"""A trained reader of queries into the folder of the encoder that it belongs to."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from skillret.encoders.onnx import QUERY_TOKENS
from skillret.encoders.profile import Profile
from skillret.encoders.token_projection import PROJECTION_FILE, TokenProjection
from skillret.encoders.weights import MODEL, hash_weights
from skillret.training.graph import merge, trace, write_graph
from skillret.training.query_tokens.model import QueryReader

__all__ = ["export_query_tokens"]


def export_query_tokens(
    reader: QueryReader, start: TokenProjection, folder: Path, output: Path
) -> None:
    """Write a model folder: the encoder's own graph, with the reader beside it.

    Args:
        reader: Trained; with eager attention, as the fused kernels have no ONNX operator.
        start: The projection of the encoder.
        folder: The encoder's.
        output: The folder to write. What was calibrated for the encoder is not for this one.
    """
    output.mkdir(parents=True, exist_ok=True)
    for name in ("model.onnx", "model.onnx.data", "tokenizer.json", "profile.json"):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, output / name)
    inputs, outputs = ("input_ids", "attention_mask"), {"tokens": 2, "weights": 2}
    write_graph(
        lambda file: trace(reader, file, inputs, outputs),
        output,
        quantize=True,
        name=QUERY_TOKENS,
        beside=MODEL,
    )
    merge(output / QUERY_TOKENS, output / MODEL, {"tokens": "late_tokens", "weights": "weights"})
    projection = reader.projection(start).save(output)
    profile = Profile.load(folder / "profile.json")
    profile = replace(
        profile, token_projection=projection, query_tokens=hash_weights(output, QUERY_TOKENS)
    )
    text = json.dumps(profile.to_json(), indent=1) + "\n"
    (output / "profile.json").write_text(text, encoding="utf-8")
    assert (output / PROJECTION_FILE).is_file()
