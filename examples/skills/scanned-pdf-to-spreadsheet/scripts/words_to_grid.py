#!/usr/bin/env python3
"""Rebuild a table from tesseract TSV output: words with boxes in, CSV out.

Rows are found by vertical centre, columns by the white gaps that no word of
the page crosses. Standard library only.
"""

import argparse
import csv
import statistics
import sys


def read_words(path, skip_top):
    words = []
    with open(path, encoding="utf-8", newline="") as handle:
        for rec in csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE):
            text = (rec.get("text") or "").strip()
            if rec["level"] != "5" or not text:
                continue
            left, top = int(rec["left"]), int(rec["top"])
            width, height = int(rec["width"]), int(rec["height"])
            if top < skip_top:
                continue
            words.append(
                {
                    "x0": left,
                    "x1": left + width,
                    "y": top + height / 2,
                    "h": height,
                    "conf": float(rec["conf"]),
                    "text": text,
                }
            )
    return words


def group_rows(words, height):
    rows = []
    for word in sorted(words, key=lambda w: w["y"]):
        if rows and word["y"] - statistics.mean(w["y"] for w in rows[-1]) < 0.6 * height:
            rows[-1].append(word)
        else:
            rows.append([word])
    return rows


def find_columns(words, min_gap):
    spans = []
    for word in sorted(words, key=lambda w: w["x0"]):
        if spans and word["x0"] - spans[-1][1] < min_gap:
            spans[-1][1] = max(spans[-1][1], word["x1"])
        else:
            spans.append([word["x0"], word["x1"]])
    return spans


def to_grid(words, gap):
    """Return (cells, confidences): two lists of rows of equal shape."""
    if not words:
        return [], []
    height = statistics.median(w["h"] for w in words)
    columns = find_columns(words, gap * height)
    cells, confs = [], []
    for row in group_rows(words, height):
        line = [[] for _ in columns]
        for word in sorted(row, key=lambda w: w["x0"]):
            index = next(i for i, (a, b) in enumerate(columns) if a <= word["x0"] <= b)
            line[index].append(word)
        cells.append([" ".join(w["text"] for w in cell) for cell in line])
        confs.append([min((w["conf"] for w in cell), default=100.0) for cell in line])
    return cells, confs


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tsv", nargs="+", help="tesseract .tsv files, one per page")
    parser.add_argument("--out", required=True, help="CSV to write")
    parser.add_argument("--doubts", help="CSV of cells below --min-conf")
    parser.add_argument(
        "--gap", type=float, default=0.9, help="white gap between columns, in text heights"
    )
    parser.add_argument("--min-conf", type=float, default=70.0)
    parser.add_argument("--skip-top", type=int, default=0, help="ignore words above this pixel row")
    args = parser.parse_args(argv)

    total, doubts = 0, []
    with open(args.out, "w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        for page, path in enumerate(args.tsv, start=1):
            cells, confs = to_grid(read_words(path, args.skip_top), args.gap)
            for line, conf in zip(cells, confs):
                writer.writerow(line)
                total += 1
                for col, (text, value) in enumerate(zip(line, conf), start=1):
                    if text and value < args.min_conf:
                        doubts.append([page, total, col, text, value])
    if args.doubts:
        with open(args.doubts, "w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(["page", "row", "column", "text", "confidence"])
            writer.writerows(doubts)
    print(f"{total} rows, {len(doubts)} doubtful cells", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
