import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from skillret.skills.frontmatter import MAX_FILE_BYTES, parse_skill


def md(front: str, body: str = "Do it.") -> bytes:
    return f"---\n{front}\n---\n{body}\n".encode()


def parsed(front: str, folder: str = "pdf-tools"):
    skill, notes = parse_skill(md(front), folder)
    assert skill is not None, notes
    return skill, notes


def skipped(data: bytes) -> str:
    skill, notes = parse_skill(data, "pdf-tools")
    assert skill is None
    return notes[-1]


def test_a_valid_skill_has_no_remarks():
    skill, notes = parsed("name: pdf-tools\ndescription: Reads PDFs.\nlicense: MIT")
    assert (skill.name, skill.description, skill.body) == ("pdf-tools", "Reads PDFs.", "Do it.")
    assert skill.extra == {"license": "MIT"}
    assert notes == []


def test_folded_and_quoted_styles_become_one_line():
    folded, _ = parsed("name: pdf-tools\ndescription: >\n  Reads PDFs\n  and scans.")
    quoted, _ = parsed("name: \"pdf-tools\"\ndescription: 'Reads PDFs and scans.'")
    assert folded.description == quoted.description == "Reads PDFs and scans."


def test_scalars_stay_as_their_author_wrote_them():
    skill, notes = parsed("name: 007\ndescription: yes", "007")
    assert (skill.name, skill.description, notes) == ("007", "yes", [])


def test_an_unquoted_colon_is_repaired_with_a_remark():
    skill, notes = parsed("name: pdf-tools\ndescription: Use when: the user's PDF is scanned")
    assert skill.description == "Use when: the user's PDF is scanned"
    assert any("needs quotes" in n for n in notes)


@pytest.mark.parametrize(
    ("value", "description"),
    [
        ("`pdftotext` for scans", "`pdftotext` for scans"),
        ("@team skill: PDFs", "@team skill: PDFs"),
        ("**Reads** PDFs: all", "**Reads** PDFs: all"),
        ("[Beta] Reads PDFs", "[Beta] Reads PDFs"),
        ('"Reads" PDFs', '"Reads" PDFs'),
        ("Reads: PDFs\n  and: scans", "Reads: PDFs and: scans"),
    ],
)
def test_other_values_that_need_quotes_are_repaired_too(value, description):
    skill, _ = parsed(f'name: pdf-tools\nlicense: "MIT\n  or not"\ndescription: {value}')
    assert skill.description == description
    assert skill.extra == {"license": "MIT or not"}


@pytest.mark.parametrize(
    ("front", "remark"),
    [
        ("description: Reads.", "no usable name"),
        ("name: [a, b]\ndescription: Reads.", "not a list"),
        ("name: {a: b}\ndescription: Reads.", "not a mapping"),
        ("name: PDF Tools\ndescription: Reads.", "breaks the rules"),
        (f"name: {'a' * 65}\ndescription: Reads.", "breaks the rules"),
        ("name: other\ndescription: Reads.", "differs from its folder's"),
        (f"name: pdf-tools\ndescription: {'x' * 1025}", "limit is 1024"),
    ],
)
def test_broken_rules_are_remarked_and_the_skill_is_loaded(front, remark):
    _, notes = parsed(front)
    assert any(remark in n for n in notes), notes


def test_a_list_for_a_name_falls_back_to_the_folder():
    skill, _ = parsed("name: [a, b]\ndescription: Reads.")
    assert skill.name == "pdf-tools"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"# Just Markdown\n", "no front matter"),
        (b"---\nname: a\ndescription: b\n", "not closed"),
        (md("name: a"), "no description"),
        (md("name: a\ndescription:"), "no description"),
        (md("name: a\ndescription: null"), "no description"),
        (md("name: a\ndescription: [x]"), "no description"),
        (md("just text"), "no list of"),
        (md("- a\n- b"), "no list of"),
        (md("name: a\ndescription: b\nmetadata:\n  c: d: e"), "no valid YAML"),
        (md("name: a\n\tdescription: b: c"), "no valid YAML"),
        (md("? [a]\n: b"), "no valid YAML"),
        (md("x: " + "[" * 60_000), "no description"),
        (md("x:\n  - " + "[" * 60_000), "no valid YAML"),
        (md("x: " + "y" * 70_000), "longer than"),
        (md('a: &a ["x"]\nb: &b [*a, *a]\ndescription: [*b, *b]'), "aliases are not allowed"),
        (md("a: &a {x: y}\nb: {<<: [*a, *a]}\ndescription: d"), "aliases are not allowed"),
    ],
)
def test_what_cannot_be_loaded_is_skipped_with_a_reason(data, reason):
    assert reason in skipped(data)


def test_a_huge_file_is_read_up_to_the_limit():
    data = md("name: pdf-tools\ndescription: Reads.", "é" * 50_000_000)[: MAX_FILE_BYTES + 1]
    skill, notes = parse_skill(data, "pdf-tools")
    assert skill is not None
    assert notes == ["only its first 1024 KiB are read"]
    assert len(skill.body.encode()) < MAX_FILE_BYTES


def test_an_escaped_nul_is_dropped():
    skill, _ = parsed('name: pdf-tools\ndescription: "Reads\\0 PDFs"')
    assert skill.description == "Reads PDFs"


@pytest.mark.parametrize(
    ("data", "remark"),
    [
        (md("name: pdf-tools\ndescription: R.").replace(b"Do", b"D\xff\xfeo"), "not UTF-8"),
        (md("name: pdf-tools\ndescription: R.").decode().encode("utf-16"), "UTF-16"),
        (md("name: pdf-tools\ndescription: R.").replace(b"Do", b"D\0o"), "NUL"),
    ],
)
def test_odd_encodings_are_read_with_a_remark(data, remark):
    skill, notes = parse_skill(data, "pdf-tools")
    assert skill is not None
    assert "\0" not in skill.body
    assert any(remark in n for n in notes)


def test_windows_line_ends_and_a_byte_order_mark_are_no_fault():
    data = b"\xef\xbb\xbf" + md("name: pdf-tools\ndescription: R.").replace(b"\n", b"\r\n")
    skill, notes = parse_skill(data, "pdf-tools")
    assert skill is not None
    assert (skill.name, skill.body, notes) == ("pdf-tools", "Do it.", [])


@given(st.binary(max_size=400))
def test_no_bytes_raise(data):
    skill, notes = parse_skill(b"---\n" + data, "folder")
    assert (skill is None) <= bool(notes)


_TEXT = st.text(
    st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=80
)


@given(name=st.from_regex(r"[a-z0-9]+(-[a-z0-9]+){0,3}", fullmatch=True), text=_TEXT, body=_TEXT)
def test_valid_front_matter_comes_back_as_it_was_written(name, text, body):
    if not text.strip() or text.strip() in ("null", "~"):
        return
    front = yaml.safe_dump({"name": name[:64].strip("-"), "description": text}, allow_unicode=True)
    skill, _ = parse_skill(md(front.rstrip(), body), name)
    assert skill is not None
    assert skill.description == " ".join(text.split())
    assert skill.body == body.strip()
