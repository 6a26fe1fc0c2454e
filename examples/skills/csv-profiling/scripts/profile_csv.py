#!/usr/bin/env python3
"""Profile a delimited text file column by column, without changing it."""

import argparse
import csv
import json
import re
import sys
from collections import Counter
from datetime import datetime

EMPTY = {"", "na", "n/a", "nan", "null", "none", "-", "?"}
DATE_FORMATS = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%Y/%m/%d",
)
MAX_DISTINCT = 50_000
INTEGER = re.compile(r"[+-]?\d+$")
DECIMAL = re.compile(r"[+-]?(\d+\.\d*|\.?\d+)([eE][+-]?\d+)?$")


def kind_of(value):
    if INTEGER.match(value):
        digits = value.lstrip("+-")
        return "code" if len(digits) > 1 and digits[0] == "0" else "int"
    if DECIMAL.match(value):
        return "float"
    if value.lower() in ("true", "false", "yes", "no"):
        return "bool"
    if value[:1].isdigit():
        for fmt in DATE_FORMATS:
            try:
                datetime.strptime(value, fmt)
                return "date"
            except ValueError:
                continue
    return "text"


class Column:
    def __init__(self, name):
        self.name = name
        self.empty = 0
        self.kinds = Counter()
        self.values = Counter()
        self.overflow = False
        self.low = self.high = None
        self.padded = 0

    def add(self, raw):
        value = raw.strip()
        self.padded += value != raw
        if value.lower() in EMPTY:
            self.empty += 1
            return
        kind = kind_of(value)
        self.kinds[kind] += 1
        if value in self.values or len(self.values) < MAX_DISTINCT:
            self.values[value] += 1
        else:
            self.overflow = True
        if kind in ("int", "float"):
            number = float(value)
            self.low = number if self.low is None else min(self.low, number)
            self.high = number if self.high is None else max(self.high, number)

    def report(self, rows):
        main = self.kinds.most_common(1)[0][0] if self.kinds else "empty"
        return {
            "column": self.name,
            "type": main,
            "mixed": dict(self.kinds) if len(self.kinds) > 1 else None,
            "empty_pct": round(100 * self.empty / rows, 2) if rows else 0.0,
            "distinct": f"{MAX_DISTINCT}+" if self.overflow else len(self.values),
            "unique": not self.overflow and not self.empty and len(self.values) == rows,
            "min": self.low,
            "max": self.high,
            "padded": self.padded,
            "top": self.values.most_common(3),
        }


def open_text(path):
    for encoding in ("utf-8-sig", "cp1252", "latin-1"):
        try:
            with open(path, encoding=encoding) as handle:
                for _ in handle:
                    pass
            return encoding
        except UnicodeDecodeError:
            continue
    raise SystemExit("cannot decode the file")


def profile(path, limit=None):
    encoding = open_text(path)
    with open(path, encoding=encoding, newline="") as handle:
        sample = handle.read(65536)
        handle.seek(0)
        try:
            dialect = csv.Sniffer().sniff(sample, delimiters=",;\t|")
        except csv.Error:
            dialect = csv.excel
        reader = csv.reader(handle, dialect)
        header = next(reader, [])
        columns = [Column(name or f"(unnamed {i})") for i, name in enumerate(header, 1)]
        rows = ragged = duplicates = 0
        seen = set()
        for row in reader:
            if limit and rows >= limit:
                break
            rows += 1
            ragged += len(row) != len(columns)
            mark = hash(tuple(row))
            duplicates += mark in seen
            seen.add(mark)
            for column, value in zip(columns, row):
                column.add(value)
    return {
        "file": path,
        "encoding": encoding,
        "delimiter": dialect.delimiter,
        "rows": rows,
        "ragged_rows": ragged,
        "duplicate_rows": duplicates,
        "columns": [column.report(rows) for column in columns],
    }


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--rows", type=int, help="stop after this many rows")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    result = profile(args.file, args.rows)
    if args.json:
        json.dump(result, sys.stdout, indent=2, ensure_ascii=False)
        print()
        return 0
    print(
        f"{result['file']}: {result['rows']} rows, {result['encoding']}, "
        f"delimiter {result['delimiter']!r}, {result['ragged_rows']} ragged, "
        f"{result['duplicate_rows']} duplicate rows"
    )
    for col in result["columns"]:
        span = "" if col["min"] is None else f" [{col['min']:g} .. {col['max']:g}]"
        flags = (" UNIQUE" if col["unique"] else "") + (
            f" MIXED {col['mixed']}" if col["mixed"] else ""
        )
        top = ", ".join(f"{v[:20]!r}x{n}" for v, n in col["top"])
        print(
            f"  {col['column'][:28]:28} {col['type']:6} empty {col['empty_pct']:6.2f}% "
            f"distinct {col['distinct']}{span}{flags}  {top}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
