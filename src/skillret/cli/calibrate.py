"""`skillret calibrate`."""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path

from skillret.cli.common import (
    DATASET_HELP,
    add_file_library,
    add_model_arguments,
    note,
    print_json,
    printable,
    progress_bar,
)
from skillret.datasets.dataset import load_dataset
from skillret.datasets.source import OWN_SPLIT
from skillret.encoders import TokenEncoder, load_encoder
from skillret.encoders.onnx import OnnxEncoder
from skillret.errors import InputError, SkillretError
from skillret.files import check_fresh, expand, fresh_folder, write_text

__all__ = ["configure", "run"]

_READ = ("model.onnx", "model.onnx.data", "tokenizer.json")
_EXAMPLES = """\
examples:
  skillret calibrate ~/team/skills --output ~/team/retriever
  skillret calibrate ~/team/requests --split dev --output ~/team/retriever
  skillret search "review my pull request" --model ~/team/retriever --select
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "dataset",
        metavar="DATASET",
        help=f"labelled queries: {DATASET_HELP}",
    )
    parser.add_argument(
        "--split", help="never a test split (default: dev; of a folder of skills their own tests)"
    )
    add_file_library(parser)
    parser.add_argument(
        "--output", metavar="DIR", help="write a copy of the model with what was fitted"
    )
    parser.add_argument(
        "--fit-ranker",
        action="store_true",
        help="fit a ranker too, for an encoder that has none or on 500 requests and more",
    )
    parser.add_argument(
        "--train-split",
        metavar="SPLIT",
        help="with --fit-ranker: the split that the encoder was trained on; it tells which words of"
        " a request count, and its requests help to fit the ranker",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    add_model_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    # A library's own tests are a split of its owner's, not one that others report figures on.
    given = (split or "" for split in (args.split, args.train_split) if split != OWN_SPLIT)
    if any(split.lower().startswith("test") for split in given):
        raise InputError("nothing is fitted on a test split; name another one with --split")
    if args.train_split and not args.fit_ranker:
        raise InputError("--train-split is for fitting a ranker: add --fit-ranker")
    encoder = load_encoder(args.model, trust_remote_code=args.trust_remote_code)
    output = expand(args.output) if args.output else None
    if output is not None:
        if not isinstance(encoder, OnnxEncoder):
            raise InputError(
                f"export {args.model} first: skillret export {args.model} --output DIR"
            )
        check_fresh(output)
    from skillret.calibration.calibrate import calibrate

    dataset = load_dataset(args.dataset, args.split, usual="dev", libraries=args.library)
    for line in dataset.notes:
        note(line)
    needless = [n for n in dataset.negatives if not n.extra.get("negative_for")]
    if len(needless) < len(dataset.negatives):
        note("near misses of one skill often need another one: they do not tell what needs none")
        dataset = replace(dataset, negatives=needless)
    head = train = None
    if args.train_split:
        if not isinstance(encoder, TokenEncoder):
            raise InputError(f"{args.model} shows no tokens; export it: skillret export")
        from skillret.calibration.fit_terms import fit_terms

        train = load_dataset(args.dataset, args.train_split, libraries=args.library)
        with progress_bar("weighing terms") as read:
            head = fit_terms(train, encoder, progress=read)
    with progress_bar("encoding") as encoded, progress_bar("searching") as searched:
        result = calibrate(
            dataset,
            encoder,
            refit_ranker=args.fit_ranker,
            head=head,
            train=train,
            progress=encoded,
            searched=searched,
        )
    for line in result.notes:
        note(line)
    if args.json:
        print_json(result.to_json())
    else:
        _print(result.to_json())
    if output is not None:
        assert isinstance(encoder, OnnxEncoder)
        _write(encoder.folder, output, json.dumps(result.profile.to_json(), indent=1))
        note(f"wrote {output}; use it with --model {output}")
    return 0


def _print(result: dict[str, object]) -> None:
    ndcg = result["ndcg@10"]
    sets = result["sets"]
    assert isinstance(ndcg, dict)
    assert isinstance(sets, dict)
    print("NDCG@10, out of fold: " + printable(", ".join(f"{k} {v:.4f}" for k, v in ndcg.items())))
    if result["auroc"] is not None:
        print(
            f"abstaining: AUROC {result['auroc']:.3f}; {result['turned_away']:.1%} of"
            f" {result['n_negatives']} needless requests turned away, {result['kept']:.1%} of"
            f" {result['n_queries']} others kept (threshold {result['threshold']:.3f});"
            f" {result['kept_at_95']:.1%} kept with 95 % turned away"
        )
    columns = list(next(iter(sets.values())))
    print(f"\n{'':<28}" + "".join(f"{c:>21}" for c in columns))
    for name, values in sets.items():
        cells = ("-" if values[c] is None else f"{values[c]:.3f}" for c in columns)
        print(f"{name:<28}" + "".join(f"{cell:>21}" for cell in cells))


def _write(source: Path, output: Path, profile: str) -> None:
    try:
        with fresh_folder(output):
            for file in source.iterdir():
                # What the encoder has read may be links, as in the hub's cache; nothing else.
                own = file.name in _READ or not file.is_symlink()
                if own and file.is_file() and file.name != "profile.json":
                    shutil.copyfile(file, output / file.name)
            write_text(output / "profile.json", profile + "\n")
    except OSError as e:
        raise SkillretError(f"cannot write {output}: {e.strerror or e}") from None
