#!/usr/bin/env python3
"""WCAG 2 contrast ratio of hex colours.

    python contrast.py "#fff" "#2f6fed"
    python contrast.py --pairs pairs.txt     # lines: name foreground background
"""
import argparse
import re
import sys


def rgb(text):
    digits = text.strip().lstrip("#")
    if not re.fullmatch(r"[0-9a-fA-F]{3}|[0-9a-fA-F]{6}", digits):
        raise ValueError(f"not a hex colour: {text!r}")
    if len(digits) == 3:
        digits = "".join(c * 2 for c in digits)
    return tuple(int(digits[i:i + 2], 16) / 255 for i in (0, 2, 4))


def luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    high, low = sorted((luminance(rgb(a)), luminance(rgb(b))), reverse=True)
    return (high + 0.05) / (low + 0.05)


def verdict(ratio):
    if ratio >= 7:
        return "AAA"
    if ratio >= 4.5:
        return "AA"
    return "large text and icons only" if ratio >= 3 else "FAIL"


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("colours", nargs="*", help="foreground and background")
    parser.add_argument("--pairs", help="file of 'name foreground background' lines")
    args = parser.parse_args(argv)
    if bool(args.pairs) == bool(args.colours) or (args.colours and len(args.colours) != 2):
        parser.error("give two colours, or --pairs FILE")
    if args.colours:
        pairs = [("pair", *args.colours)]
    else:
        with open(args.pairs, encoding="utf-8") as handle:
            pairs = [tuple(line.split()) for line in handle
                     if line.strip() and not line.startswith("//")]
    failed = False
    for entry in pairs:
        if len(entry) != 3:
            parser.error(f"expected 'name foreground background', got {' '.join(entry)!r}")
        name, fore, back = entry
        try:
            ratio = contrast(fore, back)
        except ValueError as error:
            parser.error(str(error))
        failed |= ratio < 3
        print(f"{name:24} {fore:>8} on {back:<8} {ratio:6.2f}  {verdict(ratio)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
