"""Options of a build whose documents are encoded by several processes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from skillret.encoders import Encoder, load_encoder
from skillret.errors import InputError

__all__ = ["add_workers", "open_encoder"]


def add_workers(parser: argparse.ArgumentParser) -> None:
    """`--workers` and `--worker-gpus`."""
    parser.add_argument(
        "--workers",
        type=int,
        default=0,
        metavar="N",
        help="encode by N processes, with Ray: on this machine, or on the cluster that RAY_ADDRESS"
        " names (extra ray; default: by this process alone)",
    )
    parser.add_argument(
        "--worker-gpus", type=float, default=0, metavar="G", help="GPUs of each worker"
    )


@contextmanager
def open_encoder(args: argparse.Namespace) -> Iterator[Encoder]:
    """The encoder that the arguments name, in this process or in several.

    Raises:
        EncoderError: As `load_encoder` and `DistributedEncoder` do.
        InputError: If GPUs are given without workers.
        MissingExtraError: If something is not installed that it needs.
    """
    if not args.workers:
        if args.worker_gpus:
            raise InputError("--worker-gpus says what each worker gets; it goes with --workers")
        yield load_encoder(args.model, trust_remote_code=args.trust_remote_code)
        return
    from skillret.encoders.distributed import DistributedEncoder

    with DistributedEncoder(
        args.model, args.workers, gpus=args.worker_gpus, trust_remote_code=args.trust_remote_code
    ) as encoder:
        yield encoder
