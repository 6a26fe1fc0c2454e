"""What a GPU can show in ten minutes, part by part: `scripts/gpu_session.sh` calls this.

    python -m benchmarks.gpu --out OUT [--inputs PACK] [--dry-run] [PART ...]

Every part runs in a process of its own with its own time limit. What it has measured by then is in
`OUT/results.json` and, as tables, in `OUT/report.md`. The exit status is 1 if a part has failed.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.gpu.parts import PARTS, run_part
from benchmarks.gpu.results import REPORT, Session, finish_part


def limits(given: list[str]) -> dict[str, float]:
    """Seconds by part, with those that were given as `PART=SECONDS`."""
    found: dict[str, float] = {name: seconds for name, (_, _, seconds) in PARTS.items()}
    for word in given:
        name, _, seconds = word.partition("=")
        if name not in PARTS:
            raise SystemExit(f"--limit {word}: there is no part {name!r}")
        found[name] = float(seconds)
    return found


def main() -> None:
    about = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="benchmarks.gpu", description=about)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--out", type=Path, required=True, help="folder for everything found")
    parser.add_argument("--inputs", type=Path, help="folder with what was packed")
    parser.add_argument("--limit", action="append", default=[], metavar="PART=SECONDS")
    parser.add_argument("--dry-run", action="store_true", help="tiny random models, on a CPU")
    args = parser.parse_args()
    if unknown := set(args.parts) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    args.out.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the part is ended on the way out
    failed, allowed = False, limits(args.limit)
    with tempfile.TemporaryDirectory(prefix="skillret-gpu-") as work:
        session = Session(args.out, Path(work), args.inputs, args.dry_run)
        for name in args.parts or PARTS:
            start = time.monotonic()
            print(f"== {name}", flush=True)
            finish_part(args.out, name, "running", 0.0)
            status = run_part(name, session, allowed[name])
            seconds = time.monotonic() - start
            finish_part(args.out, name, status, seconds)
            print(f"== {name}: {status} ({seconds:.0f} s)", flush=True)
            failed |= status != "done"
    print((args.out / REPORT).read_text(encoding="utf-8"))
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
