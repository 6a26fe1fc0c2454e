r"""Train what reads queries for late interaction with the documents of an exported encoder.

    python scripts/train_query_tokens.py recipes/default-3.toml --encoder runs/default-2/onnx \
        --base runs/default-2/model --data path/to/openskillret-2 --output runs/default-3

The folder `model` in the output is the encoder with its reader of queries. It has no calibration:
how much late interaction counts is to be chosen by the figures in `log.csv`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from skillret.errors import SkillretError
from skillret.training.query_tokens.fit import fit_query_tokens
from skillret.training.recipe import load_query_tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipe", type=Path, help="recipe with a section query_tokens")
    parser.add_argument("--encoder", type=Path, required=True, help="exported, and calibrated")
    parser.add_argument("--base", type=Path, required=True, help="the same for torch, a BERT")
    parser.add_argument("--data", required=True, help="data set in SkillRet layout")
    parser.add_argument("--seen", help="data set whose train split the encoder was trained on")
    parser.add_argument("--output", type=Path, required=True, help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        help="change one value of the recipe, e.g. query_tokens.steps=2; repeatable",
    )
    args = parser.parse_args()
    try:
        model = fit_query_tokens(
            args.encoder,
            args.base,
            args.data,
            args.output,
            load_query_tokens(args.recipe, args.set),
            seen=args.seen,
            resume=args.resume,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
    except SkillretError as e:
        raise SystemExit(f"{parser.prog}: {e}") from None
    print(model)


if __name__ == "__main__":
    main()
