import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from skillret.skills import frontmatter
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
    assert any("`description` as plain text" in n for n in notes)


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
        (b"# To do\n\nWrite it\n", "no front matter"),
        (b"\x00\xff never do what it says" * 9, "no front matter"),
        (b"---\nname: a\n", "not closed"),
        (md("name: a", ""), "no description"),
        (md("name: a\ndescription:", "# Title"), "no description"),
        (md("name: a\ndescription: null", "```sh\nls\n```"), "no description"),
        (md("name: a\ndescription: []", "<!-- Reads. -->"), "no description"),
        (md("license: MIT", "# Title"), "no description"),
        (md("Note: this is a page"), "no description"),
        (b"# On skills\n\n```\n---\nname: a\ndescription: b\n---\n```\n", "no front matter"),
        (b"Title\n---\n\nNote: this\n\n---\n", "no front matter"),
        (b"---\nname: a\n---\n# Title\n\ndescription: of what\n---\n", "no description"),
        (md("just text"), "no list of"),
        (md("- a\n- b"), "no list of"),
        (md("? [a]\n: b"), "no valid YAML"),
        (md("x: " + "[" * 60_000), "no valid YAML"),
        (md("x:\n  - " + "[" * 60_000), "no valid YAML"),
        (md("x: " + "y" * 70_000), "more than 65536, and no description"),
        (md('a: &a ["x"]\nb: &b [*a, *a]\nname: [*b, *b]'), "aliases are not allowed"),
        (md("a: &a {x: y}\nb: {<<: [*a, *a]}"), "aliases are not allowed"),
    ],
)
def test_what_cannot_be_loaded_is_skipped_with_a_reason(data, reason):
    assert reason in skipped(data)


@pytest.mark.parametrize(
    ("front", "body"),
    [
        ("name: a", "Reads PDFs\nand scans.\n\nStep 1"),
        ("name: a\ndescription:", "# Title\n\nReads PDFs and scans."),
        ("allowed-tools: Read", "# Title\n\nReads PDFs and scans."),
        ("description:", "Reads PDFs and scans."),
        ("name: a\ndescription: ''", "# Title\nReads PDFs and scans.\n\n- a"),
        ("name: a\nlicense: MIT", "<!-- made by x -->\n![x](y.png)\n\nReads PDFs and scans."),
        ("name: a", "```sh\nls\n\nrm\n```\n\n---\n\nReads PDFs and scans."),
    ],
)
def test_without_a_description_the_first_paragraph_stands_in(front, body):
    skill, notes = parse_skill(md(front, body), "a")
    assert skill.description == "Reads PDFs and scans."
    assert [note for note in notes if "first paragraph stands in" in note]
    long, _ = parse_skill(md(front, "Reads. " * 1000), "a")
    assert len(long.description) == 1024


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("# Deploy\n\nRolls the service out and watches it.\n\n- a", None),
        ("Rolls the service out and watches it.", None),
        ("# 部署\n\n把服务部署到测试环境并观察。\n", "把服务部署到测试环境并观察。"),
    ],
)
def test_a_file_without_front_matter_says_what_it_is_for_in_its_first_sentence(text, description):
    skill, notes = parse_skill(text.encode(), "roll-out")
    assert skill.name == "roll-out"
    assert skill.description == (description or "Rolls the service out and watches it.")
    assert skill.body == text.strip()
    assert notes == [
        "it has no front matter: the first line must be ---",
        "it has no description: its first paragraph stands in, as in Claude Code; other clients"
        " skip it",
        "it has no usable name; using that of its folder, 'roll-out'",
    ]


@pytest.mark.parametrize("value", ["", '""', "''", "null", "~", "|", ">-", "[]"])
def test_an_empty_description_is_called_empty(value):
    skill, notes = parse_skill(md(f"name: a\ndescription: {value}\nlicense: MIT"), "a")
    assert skill.description == "Do it."
    assert notes == [
        "its `description` is empty: its first paragraph stands in, as in Claude Code; other"
        " clients skip it"
    ]


def test_a_misspelt_description_that_is_empty_is_both():
    _, notes = parse_skill(md("name: a\ndescripton:"), "a")
    assert notes[0] == "`descripton` was taken for `description`; correct it"
    assert notes[1].startswith("its `descripton` is empty: its first paragraph stands in")
    assert len(notes) == 2


@pytest.mark.parametrize("front", ["", "description:\n"])
def test_when_to_use_alone_stands_in_for_a_description(front):
    skill, notes = parse_skill(md(f"name: a\n{front}when_to_use: Use for PDFs."), "a")
    assert skill.description == "Use for PDFs."
    assert notes == ["it has no description: `when_to_use` stands in; other clients skip it"]


def test_front_matter_without_name_and_description_is_that_of_a_skill():
    skill, notes = parse_skill(md("allowed-tools: Read, Grep", "# T\n\nReads PDFs."), "pdf-tools")
    assert (skill.name, skill.description) == ("pdf-tools", "Reads PDFs.")
    assert skill.extra == {"allowed-tools": "Read, Grep"}
    assert [note.partition(":")[0] for note in notes] == [
        "it has no description",
        "it has no usable name; using that of its folder, 'pdf-tools'",
    ]


@pytest.fixture(params=["CBaseLoader", "BaseLoader"])
def loader(request, monkeypatch):
    """PyYAML with libyaml and without it."""
    monkeypatch.setattr(frontmatter, "_Loader", getattr(yaml, request.param))


@pytest.mark.parametrize(
    ("front", "description"),
    [
        ("description: Reads PDFs.\n\n  Keywords: scan, OCR", "Reads PDFs. Keywords: scan, OCR"),
        ("description:\nReads PDFs.", "Reads PDFs."),
        ("description: >-\nReads PDFs: all.", "Reads PDFs: all."),
        ("description: | Reads PDFs.", "Reads PDFs."),
        ("description: Reads PDFs.\nmetadata:\n  c: d: e", "Reads PDFs."),
        ("description: Reads PDFs.\nmetadata:\n\tc: d", "Reads PDFs."),
        ('author: "Ann" or so\ndescription: Reads PDFs.', "Reads PDFs."),
        ("tags: [a, b\ndescription: Reads PDFs.", "Reads PDFs."),
        ("author: 'Ann\ndescription: Reads PDFs.", "Reads PDFs."),
        ("a: &a [x]\nb: [*a, *a]\ndescription: Reads PDFs.", "Reads PDFs."),
        ('description: "Reads PDFs.', "Reads PDFs."),
        ('description: "Reads "all" PDFs."', 'Reads "all" PDFs.'),
        ("description: 'Reads the user's PDFs.'", "Reads the user's PDFs."),
        ('description: "Reads C:\\Users."', "Reads C:\\Users."),
        ("description: Posts to #docs what is new.", "Posts to #docs what is new."),
        ("description: #docs gets what is new.", "#docs gets what is new."),
        ("description: Posts to\n  #docs what is new.", "Posts to #docs what is new."),
        ("description:\n  - Reads PDFs.\n  - Use when: scanned", "Reads PDFs; Use when: scanned"),
        ("description:\n  Use when: scanned", "Use when: scanned"),
        ("Description: Reads PDFs.", "Reads PDFs."),
        ("description:Reads PDFs.", "Reads PDFs."),
        ("description：Reads PDFs.", "Reads PDFs."),
        (" \tdescription: Reads PDFs.", "Reads PDFs."),
        ("---\ndescription: Reads PDFs.", "Reads PDFs."),
        ("...\ndescription: Reads PDFs.", "Reads PDFs."),
        ("description: Reads\x07 PDFs.", "Reads PDFs."),
        ('description: "Reads \\ud83d\\ude00."', "Reads \U0001f600."),
        ('description: "Reads \\ud83d."', "Reads \ufffd."),
        ('description: "Reads \\UFFFFFFFF."', "Reads \ufffd."),
        ('description: Reads.\nmetadata: {"\\ud83d": "\\ud83d"}', "Reads."),
        ("a stray line\ndescription: Reads PDFs.", "Reads PDFs."),
        ("<<<<<<< ours\ndescription: Reads PDFs.\n=======\n>>>>>>> theirs", "Reads PDFs."),
        ("descripton: Reads PDFs.", "Reads PDFs."),
        ("description: !Reads PDFs.", "!Reads PDFs."),
        ("description: &c. and PDFs.", "&c. and PDFs."),
    ],
)
def test_what_a_person_can_read_is_read_with_a_remark(front, description, loader):
    skill, notes = parsed(f"name: pdf-tools\n{front}\nlicense: MIT")
    assert (skill.name, skill.description, skill.body) == ("pdf-tools", description, "Do it.")
    assert skill.extra["license"] == "MIT"
    assert notes
    json.dumps(dict(skill.extra), ensure_ascii=False).encode()


FIELDS = "name: pdf-tools\ndescription: Reads PDFs."


@pytest.mark.parametrize(
    "text",
    [
        f"<!-- made by hand,\n---\nname: old\n---\n-->\n\n---\n{FIELDS}\n---\nDo it.",
        f"# SPDX: MIT\n---\n{FIELDS}\n---\nDo it.",
        f"-----\nA banner\n-----\n---\n{FIELDS}\n---\nDo it.",
        f"---\n---\n{FIELDS}\n---\nDo it.",
        f"--- # a skill\n{FIELDS}\n--- # its end\nDo it.\n\n---\n\nNow.",
        f"---\n{FIELDS}\n...\nDo it.",
        "---\ndescription: Reads PDFs.\n---\nname: pdf-tools\n---\nDo it.",
        f"----\n{FIELDS}\n----\nDo it.",
        f"—-\n{FIELDS}\n—-\nDo it.",
        "  ---\n  name: pdf-tools\n  description: Reads PDFs.\n  ---\nDo it.",
        f"---\n{FIELDS}\n\nDo it.",
        f"---\n{FIELDS}\n# Steps\n\nDo it.",
        f"{FIELDS}\n\nDo it.",
        f"```yaml\n{FIELDS}\n```\nDo it.",
        f"---yaml\n{FIELDS}\n---\nDo it.",
        f"--- YML\n{FIELDS}\n---\nDo it.",
        f"```markdown\n---\n{FIELDS}\n---\nDo it.\n```",
        "<!--\n" + "A licence.\n" * 90 + f"-->\n---\n{FIELDS}\n---\nDo it.",
        '---\nname = "pdf-tools"\ndescription = "Reads PDFs."\n---\nDo it.',
        '+++\nname = "pdf-tools"\ndescription = "Reads PDFs."\n+++\nDo it.',
        "---\n- name: pdf-tools\n- description: Reads PDFs.\n---\nDo it.",
        "---\nskill:\n  name: pdf-tools\n  description: Reads PDFs.\n---\nDo it.",
    ],
)
def test_a_front_matter_that_is_fenced_otherwise_is_found(text):
    skill, notes = parse_skill(text.encode(), "pdf-tools")
    assert skill is not None, notes
    assert (skill.name, skill.description) == ("pdf-tools", "Reads PDFs.")
    assert "Do it." in skill.body
    assert "name:" not in skill.body
    assert notes


@pytest.mark.parametrize(
    ("value", "description"),
    [
        ('"""Reads PDFs."""', "Reads PDFs."),
        ('"""\nReads PDFs,\n  and \\"scans\\".\n---\n""" # here', 'Reads PDFs, and "scans". ---'),
        ("'''Reads \"PDFs\".'''", 'Reads "PDFs".'),
        ("'''\nReads 'PDFs':\nall\n'''", "Reads 'PDFs': all"),
        ('"""Reads \\q PDFs."""', "Reads \\q PDFs."),
        ('"Reads \\"PDFs\\"."', 'Reads "PDFs".'),
    ],
)
@pytest.mark.parametrize("fence", ["+++", "---"])
def test_texts_of_toml_lose_their_quotes(value, description, fence):
    if fence in value:
        return
    text = f'{fence}\nname = "a"\ndescription = {value}\ntags = ["x"]\n{fence}\nDo:\nx = 1\n'
    skill, notes = parse_skill(text.encode(), "a")
    assert skill.description == description
    assert skill.body == "Do:\nx = 1"
    assert skill.extra == {"tags": ["x"]}
    assert notes


def test_what_toml_leaves_open_is_read_once():
    for piece in ("a = '''x\n", 'a = """x\n', 'a = """\\\n', "a = ''\n"):
        text = '+++\nname = "a"\n' + piece * 100_000 + "+++\nDo it."
        assert parse_skill(text.encode(), "a")[1]


@pytest.mark.parametrize(
    ("front", "description"),
    [
        ("metadata:\n  d: &d Reads PDFs.\ndescription: *d", "Reads PDFs."),
        ("x: &d >\n  Reads\n  PDFs.\ndescription: *d", "Reads PDFs."),
        ("description: &d Reads PDFs.\nmetadata:\n  short: *d", "Reads PDFs."),
        ("description: &d Reads PDFs.", "Reads PDFs."),
        ('description: &d "Reads PDFs."', "Reads PDFs."),
    ],
)
def test_anchors_of_texts_are_followed(front, description, loader):
    skill, notes = parsed(f"name: pdf-tools\n{front}")
    assert (skill.description, notes) == (description, [])


@pytest.mark.parametrize(
    "front",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\ndescription: *b",
        "description: *nothing",
        "a: &a {d: *a}\ndescription: *a",
        f"a: &a {'x' * 1000}\nb: [{'*a, ' * 100}*a]\ndescription: *a",
    ],
)
def test_aliases_of_lists_and_of_nothing_are_not_followed(front, loader):
    skill, notes = parsed(f"name: pdf-tools\n{front}")
    assert skill.description.startswith("*")
    assert any("read field by field" in note for note in notes)


def test_a_line_number_is_that_of_the_file():
    _, notes = parse_skill(f"# Top\n\n---\n{FIELDS}\nx: y: z\n---\n".encode(), "pdf-tools")
    assert any("line 6" in note for note in notes)


@pytest.mark.parametrize("key", ["when_to_use", "when-to-use", "whenToUse", "When to use"])
def test_when_to_use_belongs_to_the_description(key):
    skill, notes = parsed(f"{FIELDS}\n{key}: {'For scans. ' * 100}")
    assert skill.description.startswith("Reads PDFs. For scans. For")
    assert any("limit is 1024" in note for note in notes)


@pytest.mark.parametrize(
    ("field", "user_only"),
    [
        ("disable-model-invocation: true", True),
        ('disable-model-invocation: "Yes"', True),
        ("disable_model_invocation: on # never by itself", True),
        ("disableModelInvocation: 1\nx: y: z", True),
        ("disable-model-invocation: false", False),
        ("user-invocable: false", False),
    ],
)
def test_whether_only_the_user_may_start_it_is_read(field, user_only):
    skill, _ = parsed(f"{FIELDS}\n{field}")
    assert skill.user_only == user_only


@pytest.mark.parametrize(
    ("encoding", "description"),
    [
        ("gb18030", "规划每周菜单，列出过敏原。"),
        ("cp1252", "Plan für die Küche – “Menüs” à la carte."),
        ("cp1251", "Планирует меню на неделю."),
        ("cp949", "주간 식단을 짜고 장보기 목록을 만듭니다."),
        ("big5", "規劃一週菜單並列出購物清單。"),
        ("cp932", "一週間の献立を考え、買い物リストを作ります。"),
        ("euc_jp", "一週間の献立を考え、買い物リストを作ります。"),
        ("iso2022_jp", "一週間の献立を考え、買い物リストを作ります。"),
        ("utf-16", "规划每周菜单"),
        ("utf-16-le", "规划每周菜单"),
        ("utf-16-be", "Plan für die Küche."),
    ],
)
def test_other_encodings_are_told_from_the_bytes(encoding, description):
    text = f"---\nname: pdf-tools\ndescription: {description}\n---\nDo it."
    skill, notes = parse_skill(text.encode(encoding), "pdf-tools")
    assert skill is not None
    assert (skill.description, skill.body) == (description, "Do it.")
    assert any("save it as UTF-8" in note for note in notes)


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


_PIECES = st.sampled_from(
    [
        *("---\n", "...\n", "+++\n", "```\n", "name: a\n", "description: b\n", "# c\n", "\n"),
        *("<!--", "-->", " #", "- ", "'", '"', "[", "  ", "\t", ": ", "*a", "&a ", "|"),
        *("\\ud83d", "\\UFFFFFFFF", "\ufeff", "x"),
    ]
)


@given(st.lists(_PIECES, max_size=30).map("".join))
def test_no_pieces_of_front_matter_raise(text):
    for loader in (yaml.CBaseLoader, yaml.BaseLoader):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(frontmatter, "_Loader", loader)
            skill, notes = parse_skill(text.encode(), "folder")
        assert (skill is None) <= bool(notes)
        if skill is not None:
            assert skill.description
            f"{skill.name} {skill.description} {skill.body}".encode()


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
