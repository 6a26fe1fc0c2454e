import base64
import json
import os
import shutil
from pathlib import Path

import pytest

import skillret.encoders
from skillret import load_encoder
from skillret.encoders.tokenizer import is_safe_pattern, load_tokenizer
from skillret.errors import EncoderError

DEFAULT = Path(skillret.encoders.__file__).parent / "default"
GPT_2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GPT_4O = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
    r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@pytest.mark.parametrize(
    "pattern",
    [GPT_2, QWEN, QWEN.replace(r"\p{N}|", r"\p{N}{1,3}|"), GPT_4O, " {2,}", r"\s+", "[a-z]"],
)
def test_what_known_families_use_is_safe(pattern):
    assert is_safe_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        *("(a+)+$", "(?:a|a)*b", "^(a|b)*$", "(a{1,99}){1,99}", "a{1,50}a{1,50}b", "a*a*b", ".*x"),
        *(r"\s*[\r\n]+", r"(\w+)\1", "a?a?a?aaa", "a+?b", r"\g<0>", "(?=a+)b", "[[a]&&[b]]*x"),
        "x" * 10_000,
    ],
)
def test_what_may_be_matched_without_end_is_not(pattern):
    assert not is_safe_pattern(pattern)
    assert not is_safe_pattern(f"{QWEN}|{pattern}")


def replaces(*steps):
    made = [{"type": "Replace", "pattern": p, "content": c} for p, c in steps]
    return {"normalizer": {"type": "Sequence", "normalizers": made}}


def split(pattern):
    return {
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": pattern},
            "behavior": "Isolated",
            "invert": False,
        }
    }


def charsmap(text):
    data = (4).to_bytes(4, "little") + bytes(4) + text + b"\0"
    table = base64.b64encode(data).decode()
    return {"normalizer": {"type": "Precompiled", "precompiled_charsmap": table}}


@pytest.fixture
def model(tmp_path):
    shutil.copytree(DEFAULT, tmp_path / "model")
    return tmp_path / "model"


def change(folder, changes):
    file = folder / "tokenizer.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    if "model" in changes:
        changes = {"model": {**data["model"], **changes["model"]}}
    file.write_text(json.dumps({**data, **changes}), encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (split("(a+)+$"), r"it has the expression '\(a\+\)\+\$'"),
        (replaces(({"Regex": "(x|x)*y"}, "")), "it has the expression"),
        (replaces(({"String": "a"}, "b" * 1_000_000)), "more than 16 times as long"),
        (replaces(*[({"String": "a"}, "aa")] * 40), "more than 16 times as long"),
        (replaces(*[({"Regex": "b*"}, "a")] * 40), "more than 16 times as long"),
        ({"normalizer": {"type": "Prepend", "prepend": "a" * 1000}}, "it adds more than 100"),
        (charsmap(b"x" * 1000), "become more than 100 others"),
        ({"model": {"max_input_chars_per_word": 10**6}}, "it cuts words of more than 1000"),
    ],
)
def test_a_tokenizer_that_could_run_without_end_is_refused(model, changes, message):
    change(model, changes)
    with pytest.raises(EncoderError, match=rf"the tokenizer in .* is not used: .*{message}"):
        load_encoder(model).encode_queries(["a" * 4000 + "!"])


def test_one_of_a_known_family_is_taken(model):
    change(model, split(QWEN) | replaces(({"Regex": " {2,}"}, " "), ({"String": " "}, "_")))
    assert load_tokenizer(model).encode("a  b").tokens


def test_a_tokenizer_of_holes_is_not_read(model):
    os.truncate(model / "tokenizer.json", 1 << 40)
    with pytest.raises(EncoderError, match=r"cannot load the tokenizer .* larger than 64 MB"):
        load_encoder(model).encode_queries(["a"])


def test_what_a_tokenizer_cannot_do_is_one_clear_error(model):
    change(model, {"model": {"unk_token": "[NONE]"}})
    for texts in (["\u2603"], ["\u2603", "a"]):
        with pytest.raises(EncoderError, match=r"the tokenizer in .* fails: .*Missing"):
            load_encoder(model).encode_queries(texts)
