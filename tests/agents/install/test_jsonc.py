import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillret.agents.install.jsonc import END, has, insert, parse, remove

HOOK = {"hooks": [{"type": "command", "command": "x", "timeout": 5}]}
PATH = ("hooks", "UserPromptSubmit", END)

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.just("// no comment, /* */ }")
)
keys = st.sampled_from(["hooks", "UserPromptSubmit", "a", "b c", 'quo"te', "ü"])
space = st.sampled_from(["", " ", "\n", "\r\n", "\n    ", "\t", "\n\n\t"])
comments = st.sampled_from(["", "", "", "// c, }\n", "/* { \n */", "//\r\n", "/**/ // [\n"])
fill = st.tuples(space, comments, space).map("".join)
values = st.recursive(
    scalars,
    lambda children: st.one_of(
        st.lists(children, max_size=3), st.dictionaries(keys, children, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def written(draw, value):
    """A value as some person might write it."""
    if not isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=draw(st.booleans()))
    rows = []
    for item in value:
        name = ""
        if isinstance(value, dict):
            name = json.dumps(item) + draw(fill) + ":" + draw(fill)
            item = value[item]
        rows.append(draw(fill) + name + draw(written(item)) + draw(fill))
    inner = ",".join(rows)
    inner += "," + draw(fill) if rows and draw(st.booleans()) else draw(fill)
    return f"[{inner}]" if isinstance(value, list) else "{" + inner + "}"


@st.composite
def documents(draw):
    """Data, its text, and where a hook could go in it."""
    data = draw(st.dictionaries(keys, values, max_size=3))
    hooks = draw(st.sampled_from([None, {}, {"UserPromptSubmit": []}, {"UserPromptSubmit": [1]}]))
    data.pop("hooks", None)
    if hooks is not None:
        data["hooks"] = hooks
    return data, draw(fill) + draw(written(data)) + draw(fill)


@given(documents())
def test_any_text_is_read(document):
    data, text = document
    assert parse(text) == data


@given(documents(), documents())
def test_what_is_inserted_and_removed_leaves_the_text_as_it_was(document, other):
    data, text = document
    new, inserted = insert(text, PATH, HOOK)
    expected = json.loads(json.dumps(data))
    expected.setdefault("hooks", {}).setdefault("UserPromptSubmit", []).append(HOOK)
    assert parse(new) == expected
    assert has(new, PATH, HOOK)
    assert remove(new, inserted) == text
    # Rewritten by somebody else in another manner: ours goes, the rest stays.
    rewritten = json.dumps(expected | {"later": other[0]}, indent=1)
    left = remove(rewritten, inserted)
    assert left is not None
    assert parse(left) == data | {"later": other[0]}


def test_it_is_written_as_the_file_is():
    text = '{\r\n\t"model": "opus", // mine\r\n}\r\n'
    new, _ = insert(text, ("mcpServers", "skillret"), {"command": "x"})
    assert new == (
        '{\r\n\t"model": "opus", // mine\r\n\t"mcpServers": {\r\n\t\t"skillret": {\r\n'
        '\t\t\t"command": "x"\r\n\t\t}\r\n\t},\r\n}\r\n'
    )
    new, _ = insert('{"hooks": {"UserPromptSubmit": [1]}}', PATH, 2)
    assert new == '{"hooks": {"UserPromptSubmit": [1, 2]}}'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: it ends too early"),
        ('{\n"a" 1}', "line 2: a colon is missing"),
        ('{"a": 1\n"b": 2}', "line 2: a comma is missing"),
        ('{"a": nope}', "line 1: a value is missing"),
        ("{'a': 1}", "line 1: a key in double quotes is missing"),
        ('{"a": [1', "line 1: no end"),
        ('{"a": "1', "line 1: Unterminated string starting at"),
        ("[1,,2]", "line 1: a value is missing"),
        ("{} {}", "line 1: something follows the end"),
        ("[" * 5000, "line 1: nested too deeply"),
        ('{"hooks": []}', "hooks is no object"),
        ('{"hooks": {"UserPromptSubmit": "x"}}', "hooks.UserPromptSubmit is no list"),
        ("[]", "the whole is no object"),
    ],
)
def test_what_cannot_be_edited_is_refused(text, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        insert(text, PATH, HOOK)


def test_comments_of_others_keep_the_list_that_was_made_for_us():
    new, inserted = insert("{}", PATH, HOOK)
    commented = new.replace('"UserPromptSubmit": [', '"UserPromptSubmit": [ // more to come')
    left = remove(commented, inserted)
    assert left is not None
    assert "// more to come" in left
    assert parse(left) == {"hooks": {"UserPromptSubmit": []}}
    assert remove(left, inserted) is None
