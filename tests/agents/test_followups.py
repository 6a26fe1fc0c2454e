import json
import os

import pytest

from skillret.agents.followups import last_prompts


def claude(text, **fields):
    return {"type": "user", "message": {"role": "user", "content": text}, **fields}


def lines(*entries):
    return "".join(json.dumps(entry) + "\n" for entry in entries)


def test_prompts_of_claude_code(tmp_path):
    file = tmp_path / "t.jsonl"
    result = [{"type": "tool_result", "content": "the user said x", "tool_use_id": "1"}]
    file.write_text(
        lines(
            claude("zero"),
            claude("first \"type\": 'user' über"),
            {"type": "assistant", "message": {"role": "assistant", "content": "user"}},
            claude(result, toolUseResult={}),
            claude("<command-name>/compact</command-name>"),
            claude("a caveat", isMeta=True),
            claude("of a subagent", isSidechain=True),
            claude("a summary", isCompactSummary=True),
            claude([{"type": "text", "text": "second"}, {"type": "image", "source": {}}]),
        )
    )
    assert last_prompts(file, 2) == ["first \"type\": 'user' über", "second"]


def test_prompts_before_a_clear_do_not_count(tmp_path):
    file = tmp_path / "t.jsonl"
    cleared = claude("<command-name>/clear</command-name>\n<command-args></command-args>")
    file.write_text(lines(claude("before"), cleared, claude("after")))
    assert last_prompts(file, 3) == ["after"]


def test_prompts_of_codex(tmp_path):
    def item(text):
        content = [{"type": "input_text", "text": text}]
        payload = {"type": "message", "role": "user", "content": content}
        return {"timestamp": "t", "type": "response_item", "payload": payload}

    def event(text):
        return {"type": "event_msg", "payload": {"type": "user_message", "message": text}}

    file = tmp_path / "rollout.jsonl"
    start = item("<environment_context>\n<cwd>/x</cwd>\n</environment_context>")
    file.write_text(lines(start, item("one"), event("one"), event("two"), item("two")))
    assert last_prompts(file, 5) == ["one", "two"]


@pytest.mark.parametrize("indent", [None, 2])
def test_prompts_of_gemini(tmp_path, indent):
    messages = [
        {"id": "1", "type": "user", "content": "one"},
        {"id": "2", "type": "gemini", "content": "user?", "toolCalls": [{"args": {"a": {}}}]},
        {"id": "3", "type": "user", "content": [{"text": "two"}]},
    ]
    file = tmp_path / "session.json"
    file.write_text(json.dumps({"sessionId": "s", "messages": messages}, indent=indent))
    assert last_prompts(file, 5) == ["one", "two"]


def test_only_the_end_of_a_huge_transcript_is_read(tmp_path):
    file = tmp_path / "t.jsonl"
    with file.open("wb") as out:
        out.truncate(1 << 34)  # holes
        out.seek(0, os.SEEK_END)
        out.write(b"\n" + lines(claude("x" * 300_000), claude("last")).encode())
    assert last_prompts(file, 5) == ["last"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe{",
        b"{" * 100_000,
        b'{"type":"user"' + b'{"a":' * 50_000,
        b'{"type":"user","message":[{"role":"user"}]}\n{"type":"user","message":null}\n',
        b'{"messages":[1,null,{"type":"user","content":[1,{"text":{}}]}]}',
        b'{"type":"event_msg","payload":"user"}\n{"type":"user"}\n["user"]\n"user"\n',
    ],
)
def test_what_is_no_transcript_holds_no_prompts(tmp_path, content):
    file = tmp_path / "t.jsonl"
    file.write_bytes(content)
    assert last_prompts(file, 5) == []


def test_links_pipes_folders_and_other_places_are_not_read(tmp_path, home, monkeypatch):
    target = tmp_path / "t.jsonl"
    target.write_text(lines(claude("secret")))
    link = home / "link.jsonl"
    link.symlink_to(target)
    assert last_prompts(link, 5) == []
    monkeypatch.setattr("tempfile.tempdir", str(home / "temporary"))
    assert last_prompts(target, 5) == []
    assert last_prompts(home / ".." / "t.jsonl", 5) == []
    (home / "inside").symlink_to(tmp_path)
    assert last_prompts(home / "inside" / "t.jsonl", 5) == []
    assert last_prompts(home, 5) == []
    assert last_prompts(home / "none\0.jsonl", 5) == []
    assert last_prompts(home / "missing.jsonl", 5) == []
    if hasattr(os, "mkfifo"):
        os.mkfifo(home / "fifo")
        assert last_prompts(home / "fifo", 5) == []
    (home / "t.jsonl").write_text(lines(claude("mine")))
    assert last_prompts(home / "t.jsonl", 5) == ["mine"]
