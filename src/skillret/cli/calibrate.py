"""`skillret calibrate`."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

from skillret.cli.common import (
    DATASET_HELP,
    add_file_library,
    add_model_arguments,
    check_output,
    fit_ranker_command,
    note,
    print_json,
    printable,
    progress_bar,
)
from skillret.datasets.dataset import load_dataset
from skillret.datasets.source import OWN_SPLIT
from skillret.encoders import DEFAULT_MODEL, Encoder, TokenEncoder, load_encoder
from skillret.errors import EncoderError, InputError
from skillret.files import expand
from skillret.retrieval.calibration import CALIBRATION_FILE, Calibration, load_calibration
from skillret.retrieval.rerank import load_reranker

__all__ = ["configure", "run"]

_EXAMPLES = """\
examples:
  skillret calibrate ~/team/skills --output ~/team/calibration.json
  skillret calibrate ~/team/queries --split dev --model ~/team/retriever
  skillret search "review my pull request" --calibration ~/team/calibration.json --select
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
        "--output",
        metavar="FILE",
        help="where to write what was fitted (default: calibration.json in the model's own folder;"
        " of the packaged model and of one from the hub nothing is written)",
    )
    parser.add_argument(
        "--calibration",
        metavar="FILE",
        help="start from this one instead of the model's own",
    )
    parser.add_argument(
        "--fit-ranker",
        action="store_true",
        help="fit a ranker too, for an encoder that has none or on 500 queries and more; on fewer"
        " the packaged one is adapted",
    )
    parser.add_argument(
        "--train-split",
        metavar="SPLIT",
        help="with --fit-ranker: the split that the encoder was trained on; it tells which words of"
        " a query count, and its queries help to fit the ranker",
    )
    parser.add_argument(
        "--rerank",
        "--reranker",
        dest="reranker",
        metavar="R",
        help="take the score of a reranker for one more feature of the ranker: a model folder, a"
        " hub id, or what an installed package offers; needs --output",
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
    if args.reranker and args.fit_ranker:
        raise InputError(
            "fit the ranker first (--fit-ranker --output FILE), then add the reranker to it"
            " (--calibration FILE --rerank R)"
        )
    if args.reranker and args.output is None:
        raise InputError(
            "--rerank needs --output: only searches with the reranker can use what is fitted"
        )
    reranker = load_reranker(args.reranker)
    encoder = load_encoder(args.model, trust_remote_code=args.trust_remote_code)
    output = _output(args.output, args.model, encoder)
    stored = _stored(encoder, args.calibration, args.fit_ranker)
    if stored is None and not args.fit_ranker:
        command = fit_ranker_command(args.dataset, args.model, args.library, args.split)
        raise InputError(f"{args.model} has no ranker yet; fit one: {command}")
    from skillret.calibration.calibrate import calibrate

    dataset = load_dataset(args.dataset, args.split, usual="dev", libraries=args.library)
    for line in dataset.notes:
        note(line)
    if dataset.near_misses:
        note("near misses of one skill often need another one: they do not tell what needs none")
        dataset = replace(dataset, negatives=dataset.needless)
    head = train = None
    if args.train_split:
        train = load_dataset(args.dataset, args.train_split, libraries=args.library)
        if isinstance(encoder, TokenEncoder):
            from skillret.calibration.fit_terms import fit_terms

            with progress_bar("weighing terms") as read:
                head = fit_terms(train, encoder, progress=read)
        else:
            note(
                f"{args.model} shows no tokens, so all terms count alike;"
                " a model made by skillret export shows them"
            )
    with (
        progress_bar("encoding") as encoded,
        progress_bar("searching") as searched,
        progress_bar("reranking", "query") as read,
    ):
        result = calibrate(
            dataset,
            encoder,
            stored,
            refit_ranker=args.fit_ranker,
            head=head,
            train=train,
            reranker=reranker,
            progress=encoded,
            searched=searched,
            read=read,
        )
    for line in result.notes:
        note(line)
    for entry in result.calibration.fitted_on:
        note(
            f"fitted on {entry.dataset} {entry.revision}, {entry.split}: {entry.n_queries:,}"
            f" queries ({', '.join(entry.purpose)})"
        )
    if args.json:
        print_json(result.to_json())
    else:
        _print(result.to_json())
    if output is None:
        note("nothing was written; --output FILE keeps what was fitted")
    else:
        result.calibration.save(output)
        used = "" if args.output is None else f"; use it with --calibration {output}"
        used += f" --rerank {args.reranker}" if args.reranker else ""
        note(f"wrote {output}{used}")
    return 0


def _output(name: str | None, model: str, encoder: Encoder) -> Path | None:
    """The file to be written; None if none was named and the model has no folder of the user's own.

    Raises:
        InputError: If it cannot be written, or is there already and holds something else.
    """
    if name is None:
        folder: Path | None = getattr(encoder, "folder", None)
        # The packaged model is replaced with the package, and the hub's folders are a cache.
        if folder is None or model == DEFAULT_MODEL or not expand(model).is_dir():
            return None
        packaged: Path | None = getattr(load_encoder(DEFAULT_MODEL), "folder", None)
        if packaged is not None and folder.resolve() == packaged.resolve():
            return None
        if not os.access(folder, os.W_OK):
            return None
        return check_output(str(folder / CALIBRATION_FILE))
    file = check_output(name)
    if file.is_file() and not _is_calibration(file):
        raise InputError(f"{file} is there already and is no calibration; name another file")
    return file


def _is_calibration(file: Path) -> bool:
    try:
        with file.open("rb") as source:
            start = source.read(1 << 16)
        return b'"encoder"' in start and b'"fitted_on"' in start
    except OSError as e:
        raise InputError(f"cannot read {file}: {e.strerror}") from None


def _stored(encoder: Encoder, file: str | None, refit: bool) -> Calibration | None:
    try:
        return load_calibration(encoder, file)
    except EncoderError as e:
        if not refit:
            raise
        note(f"left aside: {e}")  # a new one is the remedy
        return None


def _print(result: dict[str, object]) -> None:
    ndcg = result["ndcg@10"]
    sets = result["sets"]
    assert isinstance(ndcg, dict)
    assert isinstance(sets, dict)
    print("NDCG@10, out of fold: " + printable(", ".join(f"{k} {v:.4f}" for k, v in ndcg.items())))
    if result["auroc"] is not None:
        print(
            f"abstaining: AUROC {result['auroc']:.3f}; {result['turned_away']:.1%} of"
            f" {result['n_negatives']} needless queries turned away, {result['kept']:.1%} of"
            f" {result['n_queries']} others kept (threshold {result['threshold']:.3f});"
            f" {result['kept_at_95']:.1%} kept with 95 % turned away"
        )
    columns = list(next(iter(sets.values())))
    print(f"\n{'':<28}" + "".join(f"{c:>21}" for c in columns))
    for name, values in sets.items():
        cells = ("-" if values[c] is None else f"{values[c]:.3f}" for c in columns)
        print(f"{name:<28}" + "".join(f"{cell:>21}" for cell in cells))
