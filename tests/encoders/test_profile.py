import json
import os
from dataclasses import replace

import pytest

from skillret.encoders import Profile
from skillret.errors import EncoderError


def test_profiles_ignore_what_later_versions_add():
    profile = Profile("x", dim=3)
    data = json.loads(json.dumps({**profile.to_json(), "invented": 1}))
    assert Profile.from_json(data, "here") == profile
    with pytest.raises(EncoderError, match="here is not a profile"):
        Profile.from_json([1], "here")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dense_weight", float("nan")),
        ("dense_weight", -0.1),
        ("dense_weight", 10**400),
        ("dense_weight", None),
        ("dim", -1),
        ("dim", True),
        ("dim", 10**12),
        ("max_query_tokens", 0),
        ("max_document_tokens", 10**12),
        ("query_prompt", 5),
        ("query_prompt", "x" * 1_000_000),
        ("document_prompt", "x" * 1_000_000),
        ("dim", 1 << 20),
        ("token_dim", -1),
        ("token_dim", 1 << 20),
        ("token_projection", 5),
        ("query_tokens", 5),
        ("name", "x" * 1_000_000),
        ("template", "{body}" * 100),
        ("template", "{body}" + "x" * 10_000),
        ("template", ""),
        ("template", "{x}"),
        ("template", "{0}"),
        ("template", "{name.__class__}"),
        ("template", "{name:>300000000}"),
        ("template", "{name!r}"),
        ("template", "{name} {{"),
    ],
)
def test_a_profile_that_no_skillret_writes_is_refused(key, value):
    data = Profile("x", dim=3).to_json()
    with pytest.raises(EncoderError, match=f"here is not a profile: '{key}' cannot be"):
        Profile.from_json({**data, key: value}, "here")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"name": "\\ud800"}', '{"dim": ' + "9" * 5000 + "}"]
)
def test_a_profile_that_is_no_json_is_refused(tmp_path, text):
    file = tmp_path / "profile.json"
    file.write_text(text)
    with pytest.raises(EncoderError, match="cannot read the profile"):
        Profile.load(file)


def test_a_profile_of_holes_is_not_read(tmp_path):
    file = tmp_path / "profile.json"
    file.touch()
    os.truncate(file, 1 << 40)
    with pytest.raises(EncoderError, match="larger than 1,024 kB"):
        Profile.load(file)


def test_what_earlier_profiles_held_of_a_ranker_is_no_part_of_one():
    data = {**Profile("x", dim=3).to_json(), "ranker": {"a": 1}, "threshold": 5}
    assert Profile.from_json(data, "here") == Profile("x", dim=3)


def test_tokens_are_a_part_of_the_identity_and_their_absence_is_none():
    plain = Profile("x", dim=3, weights="w")
    # As it was before there were any: no index is encoded anew for nothing.
    known = "0659888dd08f405e757d5f1a000182057d0001fb65d75aeffd44ca7859169c04"
    assert plain.identity == known
    some = [replace(plain, token_dim=n, token_projection=h) for n in (4, 8) for h in "ab"]
    assert len({p.identity for p in [plain, *some]}) == 5


def test_a_reader_of_queries_needs_tokens_of_documents():
    data = Profile("x", token_dim=4, token_projection="a", query_tokens="b").to_json()
    assert Profile.from_json(data, "x").query_tokens == "b"
    with pytest.raises(EncoderError, match="'query_tokens' needs 'token_dim'"):
        Profile.from_json({**data, "token_dim": 0, "token_projection": ""}, "x")


@pytest.mark.parametrize("lacking", [{"token_dim": 0}, {"token_projection": ""}])
def test_the_two_settings_of_tokens_belong_together(lacking):
    data = {**Profile("x", token_dim=4, token_projection="a").to_json(), **lacking}
    with pytest.raises(EncoderError, match="'token_dim' and 'token_projection' are given together"):
        Profile.from_json(data, "here")
