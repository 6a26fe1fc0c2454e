r"""Take weights and data to a machine that nothing reaches but transfers of a limited size.

    python -m benchmarks.gpu.transfer --student FOLDER --teacher FOLDER --data FOLDER \
        --output PACK
    python -m benchmarks.gpu.transfer --unpack OUT --output FOLDER     # what came back

Weights travel in fewer bits: the student in float16, which is exact to a two-thousandth of each
weight, the teacher, which is trained before it teaches, as int8 with a scale for each row. Of the
data the splits that are needed travel, the bodies of skills without what a model of 256 tokens
never reads. Everything is compressed, joined and cut into parts, a folder for each transfer.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import lzma
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.gpu.results import Session
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from skillret.errors import InputError
from skillret.files import parse_json

__all__ = ["DATA", "STUDENT", "TEACHER", "pack", "pack_result", "receive", "unpack"]

STUDENT, TEACHER, DATA = "student", "teacher", "data"
FORMS = {STUDENT: "float16", TEACHER: "int8"}
SPLITS = ("train", "dev2")
BODY_CHARACTERS = 4096  # 16 a token; see skillret.training.rows
RETURNED = 15 << 20  # bytes of a part of what comes back
SCALE = ".scale"  # ends the name of the scales of a tensor in int8
_KEPT = {".json", ".txt", ".model", ".safetensors"}
_TABLES = ("skills", "queries", "qrels")


def pack(sources: Mapping[str, Path], output: Path, limit: int) -> list[dict[str, Any]]:
    """Write `output/1`, `output/2`, ..., each with a part of at most `limit` bytes.

    Args:
        sources: Folders of the student, the teacher and the data, by these names.
        output: Must not be there yet.
        limit: Bytes of a part.

    Returns:
        A row for each source: `name`, `form`, `bytes` as they lie there, `packed`.
    """
    output.mkdir(parents=True)
    rows, joined = [], output / "joined"
    with joined.open("wb") as out:
        for name, folder in sources.items():
            before = out.tell()
            out.write(_packed(name, folder))
            rows.append(
                {
                    "name": name,
                    "form": FORMS.get(name, f"JSONL, {' and '.join(SPLITS)}"),
                    "bytes": sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()),
                    "packed": out.tell() - before,
                }
            )
    parts = _cut(joined, limit, "inputs")
    joined.unlink()
    for number, part in enumerate(parts["parts"], start=1):
        folder = output / str(number)
        folder.mkdir()
        (output / part["name"]).rename(folder / part["name"])
        _write_list(folder / "inputs.json", parts)
    return rows


def receive(session: Session) -> None:
    """Unpack the inputs of a session; without any, parts that need none can be run still.

    Raises:
        InputError: If a part is missing or not as it was written.
    """
    if session.inputs is None:
        print("nothing to unpack: no --inputs")
    else:
        print("unpacked", ", ".join(unpack(session.inputs, "inputs", session.unpacked)))


def pack_result(model: Path, out: Path) -> None:
    """Write a trained model in float16 to files `student.*` that are small enough to come back."""
    for old in out.glob(f"{STUDENT}.*"):
        old.unlink()
    joined = out / STUDENT
    joined.write_bytes(_packed(STUDENT, model))
    _write_list(out / f"{STUDENT}.json", _cut(joined, RETURNED, STUDENT))
    joined.unlink()


def unpack(folder: Path, stem: str, target: Path) -> list[str]:
    """Put parts together again and write what they hold, weights in float32.

    Args:
        folder: Holds `STEM.json` and the parts, here or in folders of their own.
        stem: `inputs`, or `student` for a trained model.
        target: Gets a folder for each model and for the data.

    Returns:
        Names of the folders.

    Raises:
        InputError: If a part is missing or not as it was written.
    """
    lists = sorted(folder.rglob(f"{stem}.json"))
    if not lists:
        raise InputError(f"{folder} holds no {stem}.json: were the parts received?")
    parts = parse_json(lists[0].read_text(encoding="utf-8"))["parts"]
    target.mkdir(parents=True, exist_ok=True)
    joined = target / "joined"
    with joined.open("wb") as out:
        for part in parts:
            file = next(iter(sorted(folder.rglob(part["name"]))), None)
            if file is None:
                raise InputError(f"{part['name']} of {len(parts)} parts is not in {folder}")
            content = file.read_bytes()
            if hashlib.sha256(content).hexdigest() != part["sha256"]:
                raise InputError(f"{file} is not as it was written; send it again")
            out.write(content)
    with (
        lzma.open(joined) as stream,  # archives that follow each other are read as one
        tarfile.open(fileobj=stream, mode="r|", ignore_zeros=True) as archive,
    ):
        archive.extractall(target, filter="data")
    joined.unlink()
    for file in target.rglob("*.safetensors"):
        save_file(_widened(load_file(file)), file, metadata={"format": "pt"})
    return sorted(f.name for f in target.iterdir())


def _packed(name: str, folder: Path) -> bytes:
    """One source as an archive compressed by xz; of weights more effort would gain nothing."""
    files = _data_files(folder) if name == DATA else _model_files(folder, FORMS[name])
    preset = 2 if name == DATA else 0
    packed = io.BytesIO()
    with (
        lzma.open(packed, "wb", preset=preset) as out,
        tarfile.open(fileobj=out, mode="w|") as archive,
    ):
        for path, content in files:
            info = tarfile.TarInfo(f"{name}/{path}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def _model_files(folder: Path, form: str) -> Iterator[tuple[str, bytes]]:
    """Path and content of a model's files, its weights in fewer bits."""
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or file.suffix not in _KEPT:
            continue
        path = file.relative_to(folder).as_posix()
        if file.suffix == ".safetensors":
            from safetensors.numpy import save

            yield path, save(_narrowed(load_file(file), form))
        else:
            yield path, file.read_bytes()


def _data_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Path and content of the splits' tables, bodies cut."""
    for table in _TABLES:
        for split in SPLITS:
            stem = folder / "data" / table / split
            plain, zipped = (stem.with_name(split + s) for s in (".jsonl", ".jsonl.gz"))
            given = plain if plain.is_file() else zipped
            content = given.read_bytes()
            if given is zipped:
                content = gzip.decompress(content)
            if table == "skills":
                lines = (_cut_body(json.loads(line)) for line in content.splitlines() if line)
                content = "".join(json.dumps(row) + "\n" for row in lines).encode()
            yield f"data/{table}/{split}.jsonl", content


def _cut_body(row: dict[str, Any]) -> dict[str, Any]:
    body = "skill_md" if "skill_md" in row else "body"
    kept = {key: row[key] for key in row if key in ("id", "name", "description")}
    return kept | {body: row[body][:BODY_CHARACTERS]}


def _narrowed(tensors: Mapping[str, NDArray[Any]], form: str) -> dict[str, NDArray[Any]]:
    """Float tensors in float16, or in int8 if they are matrices; everything else as it is."""
    out: dict[str, NDArray[Any]] = {}
    for name, values in tensors.items():
        if values.dtype != np.float32:
            out[name] = values
        elif form == "float16":
            out[name] = values.astype(np.float16)
        elif values.ndim == 2:
            largest = np.abs(values).max(axis=1, keepdims=True)
            scale = np.maximum(largest, np.float32(1e-30)) / np.float32(127)
            out[name] = np.round(values / scale).astype(np.int8)
            out[name + SCALE] = scale
        else:
            out[name] = values
    return out


def _widened(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The inverse of `_narrowed`, but for what rounding took."""
    out = {}
    for name, values in tensors.items():
        if name + SCALE in tensors:
            out[name] = values.astype(np.float32) * tensors[name + SCALE]
        elif not name.endswith(SCALE):
            out[name] = values.astype(np.float32) if values.dtype == np.float16 else values
    return out


def _cut(file: Path, limit: int, stem: str) -> dict[str, Any]:
    """Cut a file into `STEM.001`, `STEM.002`, ... beside it; names and hashes of these."""
    parts: list[dict[str, str]] = []
    with file.open("rb") as content:
        while block := content.read(limit):
            name = f"{stem}.{len(parts) + 1:03}"
            file.with_name(name).write_bytes(block)
            parts.append({"name": name, "sha256": hashlib.sha256(block).hexdigest()})
    return {"parts": parts}


def _write_list(file: Path, parts: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(parts, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in (STUDENT, TEACHER, DATA):
        parser.add_argument(f"--{name}", type=Path, help="folder")
    parser.add_argument("--output", type=Path, required=True, help="folder to make")
    parser.add_argument("--mib", type=float, default=64, help="of a transfer")
    parser.add_argument("--tree", type=float, default=0, help="MiB that travel with each transfer")
    parser.add_argument("--unpack", type=Path, help="folder with a trained student in parts")
    args = parser.parse_args()
    if args.unpack:
        try:
            print("unpacked", ", ".join(unpack(args.unpack, STUDENT, args.output)))
        except InputError as e:
            raise SystemExit(str(e)) from None
        return
    sources = {n: getattr(args, n) for n in (STUDENT, TEACHER, DATA) if getattr(args, n)}
    # A mebibyte is left for the list of the parts and for what a transfer needs itself.
    rows = pack(sources, args.output, int((args.mib - args.tree - 1) * (1 << 20)))
    print("| what | form | MiB as it is | MiB packed |\n|---|---|---:|---:|")
    for row in rows:
        sizes = " | ".join(f"{row[k] / (1 << 20):.1f}" for k in ("bytes", "packed"))
        print(f"| {row['name']} | {row['form']} | {sizes} |")
    transfers = len([f for f in args.output.iterdir() if f.is_dir()])
    print(f"\n{transfers} transfers: {args.output}/1 to {args.output}/{transfers}")


if __name__ == "__main__":
    main()
