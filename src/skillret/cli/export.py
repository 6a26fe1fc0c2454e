"""`skillret export`."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from skillret.cli.common import fit_ranker_command, non_negative, note, printable
from skillret.errors import InputError
from skillret.extras import require
from skillret.files import expand
from skillret.training.starting_model import needs_remote_code

__all__ = ["configure", "run"]

_EXAMPLES = """\
examples:
  skillret export runs/minilm-cpu/model --output minilm-int8
  skillret export runs/minilm-cpu/model --output minilm-int8 --dataset path/to/data
  skillret export runs/reranker-minilm-cpu/model --output reranker-int8
  skillret search "turn this scanned PDF into a spreadsheet" --model minilm-int8
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "model_dir",
        metavar="MODEL_DIR",
        help="sentence-transformers folder, of an encoder or a cross-encoder",
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="folder to write")
    parser.add_argument(
        "--quantize", choices=("int8", "none"), default="int8", help="weights (default: int8)"
    )
    parser.add_argument(
        "--dataset",
        metavar="D",
        help="data set in SkillRet layout to check NDCG@10 on (default: the dev split of the run"
        " that the model lies in; without one, cosine and neighbours of a few texts only)",
    )
    parser.add_argument("--split", metavar="S", help="of --dataset (default: dev)")
    parser.add_argument(
        "--max-queries",
        type=non_negative,
        default=500,
        metavar="N",
        help="check on this many queries at most; 0 for all (default: 500)",
    )
    parser.add_argument(
        "--allow-loss",
        action="store_true",
        help="write the export even if it costs more than 0.5 points of NDCG@10, and surely so",
    )
    parser.add_argument(
        "--trust-remote-code",
        action="store_true",
        help="run Python code that the model brings along (default: never)",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    require("train", "exporting", ("torch", "sentence_transformers", "onnx", "pytrec_eval"))
    model_dir, output = expand(args.model_dir), expand(args.output)
    if not model_dir.is_dir():
        raise InputError(f"no such model folder: {model_dir}")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"the output folder {output} is not empty; give another one")
    if needs_remote_code(model_dir) and not args.trust_remote_code:
        raise InputError(
            f"the model {model_dir} brings its own Python code, which is not run unless you say so:"
            " --trust-remote-code"
        )
    from skillret.training.reranker.export import is_reranker

    reranker = is_reranker(model_dir)
    output.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target and renamed at the end: a refused export leaves nothing behind.
    scratch = Path(tempfile.mkdtemp(prefix=".export-", dir=output.parent))
    try:
        (_export_reranker if reranker else _export_encoder)(model_dir, scratch, args)
        scratch.chmod(0o755)
        if output.is_dir():
            output.rmdir()
        scratch.replace(output)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    size = sum(f.stat().st_size for f in output.iterdir())
    use = f"use it with {'--rerank' if reranker else '--model'} {output}"
    print(printable(f"{output}: {size / 1e6:.1f} MB; {use}"))
    if not reranker:
        command = fit_ranker_command(args.dataset or "DATASET", str(output))
        print(printable(f"it has no ranker yet; with labelled queries: {command}"))
    return 0


def _export_encoder(model_dir: Path, scratch: Path, args: argparse.Namespace) -> None:
    """Write and check the export of an embedding model."""
    from skillret.encoders.onnx import OnnxEncoder
    from skillret.encoders.sentence_transformers import SentenceTransformerEncoder
    from skillret.training.export import export_onnx, model_profile
    from skillret.training.verify import compare, find_texts, refuse_loss

    profile = model_profile(model_dir)
    dev, labelled = find_texts(
        model_dir, args.dataset, args.split, profile.template, args.max_queries
    )
    note(f"exporting {model_dir}")
    trusted = args.trust_remote_code
    quantize = args.quantize == "int8"
    export_onnx(model_dir, scratch, profile, quantize=quantize, trust_remote_code=trusted)
    original = SentenceTransformerEncoder(
        str(model_dir), device="cpu", trust_remote_code=trusted, profile=profile
    )
    agreement = compare(original, OnnxEncoder(scratch), dev, labelled, note)
    for line in agreement.lines():
        print(line)
    if not args.allow_loss:
        refuse_loss(agreement)


def _export_reranker(model_dir: Path, scratch: Path, args: argparse.Namespace) -> None:
    """Write and check the export of a cross-encoder."""
    from skillret.retrieval.rerankers.onnx import OnnxReranker
    from skillret.retrieval.rerankers.torch import TorchReranker
    from skillret.training.reranker.export import (
        compare_rerankers,
        export_reranker,
        find_pool_texts,
    )

    original = TorchReranker(str(model_dir), device="cpu")
    profile = original.profile
    note(f"exporting {model_dir}")
    export_reranker(model_dir, scratch, profile, quantize=args.quantize == "int8")
    dev, pool, labelled = find_pool_texts(
        model_dir, args.dataset, args.split, profile.template, args.max_queries
    )
    agreement = compare_rerankers(original, OnnxReranker(scratch), dev, pool, labelled, note)
    for line in agreement.lines():
        print(line)
    if not args.allow_loss:
        agreement.refuse_loss()
