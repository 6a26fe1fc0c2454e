import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import anyio
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.shared.exceptions import MCPError
from mcp_types import PaginatedRequestParams, Request, RequestParams, Result
from pydantic import ConfigDict, SerializeAsAny

from skillret import Retriever
from skillret.agents.answers import Answers
from skillret.agents.decision import Decision, Named
from skillret.agents.log import read_log
from skillret.errors import InputError
from skillret.serving.mcp import OpenLater, create_server
from tests.conftest import ROOT, HashEncoder, write_skill


class Answer(Result):
    model_config = ConfigDict(extra="allow")


class Get(RequestParams):
    uri: str


class Ask(Request[RequestParams, str]):
    method: str
    params: SerializeAsAny[RequestParams]


@pytest.fixture
def retriever(library, tmp_path):
    scripts = library / "meal-planner" / "scripts"
    scripts.mkdir()
    (scripts / "my week.py").write_text("print('soup')\n")
    (library / "meal-planner" / "table.bin").write_bytes(b"\x89\x00\xff")
    (library / "meal-planner" / ".env").write_text("secret")
    (tmp_path / "outside.md").write_text("secret")
    (library / "meal-planner" / "link.md").symlink_to(tmp_path / "outside.md")
    index = tmp_path / "i.db"
    with Retriever.open(index=index, library=library, model=HashEncoder()) as opened:
        yield opened


def talk(server, work):
    """What a client gets that has connected to a server."""

    async def main():
        async with Client(server) as client:
            return await work(client)

    return anyio.run(main)


def ask(retriever, work):
    return talk(create_server(OpenLater(lambda: retriever)), work)


def call(retriever, tool, **arguments):
    return ask(retriever, lambda client: client.call_tool(tool, arguments))


def skill_id(retriever, name="meal-planner"):
    return next(skill.id for skill in retriever.index.skills() if skill.name == name)


def test_tools_are_listed_before_the_library_is_open():
    opening, go_on = threading.Event(), threading.Event()

    def slow():
        opening.set()
        go_on.wait()
        raise InputError("no skills found")

    async def work(client):
        await anyio.to_thread.run_sync(opening.wait)
        listed = await client.list_tools()
        go_on.set()
        return listed.tools, await client.call_tool("search_skills", {"query": "soup"})

    tools, result = talk(create_server(OpenLater(slow)), work)
    assert result.is_error
    assert result.content[0].text.endswith("no skills found")
    by_name = {tool.name: tool for tool in tools}
    assert list(by_name) == ["search_skills", "read_skill", "route"]
    for tool in tools:
        assert tool.annotations.read_only_hint
        assert len(tool.description) < 2048
        assert "\n" not in tool.description
        for parameter in tool.input_schema["properties"].values():
            assert parameter["description"]
    for name in ("search_skills", "read_skill"):
        assert by_name[name].meta["anthropic/alwaysLoad"] is True
        assert by_name[name].output_schema["type"] == "object"
    found = by_name["search_skills"].output_schema["properties"]
    assert found["need"]["type"] == ["number", "null"]
    skill = found["skills"]["items"]
    assert set(skill["required"]) == set(skill["properties"])
    assert skill["properties"]["path"]["type"] == ["string", "null"]


def test_a_library_that_cannot_be_opened_is_tried_again(retriever):
    answers = iter([InputError("not yet"), retriever])

    def open_():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    later = OpenLater(open_)
    with pytest.raises(InputError, match="not yet"):
        later.get()
    assert later.get() is retriever is later.get()


def test_what_is_found_can_be_read(retriever):
    async def work(client):
        found = await client.call_tool("search_skills", {"query": "plan meals for a week", "k": 2})
        best = found.structured_content["skills"][0]
        read = await client.call_tool("read_skill", {"id": best["id"]})
        script = await client.call_tool(
            "read_skill", {"id": best["id"], "file": "scripts/my week.py"}
        )
        return found, best, read.structured_content, script.structured_content

    found, best, read, script = ask(retriever, work)
    assert json.loads(found.content[0].text) == found.structured_content
    assert best["name"] == "meal-planner"
    assert len(found.structured_content["skills"]) == 2
    assert read["text"] == Path(best["path"]).read_text()
    assert read["next_offset"] is None
    assert read["files"] == ["table.bin", "scripts/my week.py"]
    assert script["text"] == "print('soup')\n"


@pytest.mark.parametrize(
    "id_",
    ["../meal-planner", "..\\x", "meal-planner@0\0", "%2e%2e%2fetc", "meal@1\n", "", "x" * 5000],
)
def test_hostile_ids_are_refused(retriever, id_):
    result = call(retriever, "read_skill", id=id_)
    assert result.is_error
    assert "no id of a skill" in result.content[0].text


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("../release-notes/SKILL.md", "no file of a skill"),
        ("/etc/passwd", "no file of a skill"),
        ("scripts/../../x", "no file of a skill"),
        ("%2e%2e/x", "no file of a skill"),
        ("..\\x", "no file of a skill"),
        ("C:/x", "no file of a skill"),
        (".env", "no file of a skill"),
        ("a\0b", "no file of a skill"),
        ("link.md", "a link out of the skill's folder"),
        ("nothing.md", "the skill has no file"),
        ("scripts", "cannot read"),
        ("table.bin", "is no text"),
    ],
)
def test_files_that_are_not_the_skills_own_are_refused(retriever, file, message):
    result = call(retriever, "read_skill", id=skill_id(retriever), file=file)
    assert result.is_error
    assert message in result.content[0].text
    assert "secret" not in str(result)


def test_a_pipe_in_place_of_a_file_keeps_nobody_waiting(retriever, library):
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes here")
    os.mkfifo(library / "meal-planner" / "pipe")
    assert call(retriever, "read_skill", id=skill_id(retriever), file="pipe").is_error


def test_a_skill_that_vanishes_between_search_and_read(retriever, library):
    id_ = skill_id(retriever)
    (library / "meal-planner" / "SKILL.md").unlink()
    result = call(retriever, "read_skill", id=id_)
    assert result.is_error
    assert "is no longer there" in result.content[0].text
    assert "there is no skill" in call(retriever, "read_skill", id="none@1").content[0].text


def test_long_and_odd_texts_are_handed_over_in_parts_and_inert(retriever, library):
    text = "---\nname: meal-planner\ndescription: d\n---\n\x1b[2J\u202eabc" + "y" * 60_000
    (library / "meal-planner" / "SKILL.md").write_text(text)
    id_ = skill_id(retriever)
    first = call(retriever, "read_skill", id=id_).structured_content
    assert len(first["text"]) == first["next_offset"] == 50_000
    assert "\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}abc" in first["text"]
    rest = call(retriever, "read_skill", id=id_, offset=50_000).structured_content
    assert len(first["text"] + rest["text"]) == len(text)
    assert rest["next_offset"] is None


def test_queries_of_any_length_and_wrong_arguments(retriever):
    assert not call(retriever, "search_skills", query="soup " * 40_000, k=1).is_error
    for arguments in ({"query": "  "}, {"query": "x", "k": 0}, {"query": "x", "k": 10**9}, {}):
        assert call(retriever, "search_skills", **arguments).is_error


@pytest.fixture
def agents(monkeypatch):
    """Stands in for what decides and what words it."""
    seen = []

    def route(turn, retriever, memory, mode):
        seen.append((turn, mode))
        if turn.prompt == "break":
            raise RuntimeError("a bug")
        named = Named("a", "a", "a", "A.", None, 0.9, turn.prompt)
        return Decision((named,) if retriever else ())

    for name, attributes in (
        ("route", {"route": route}),
        ("context", {"context_of": lambda d, limit, sign: f"{d.named[0].reason} {limit} {sign}"}),
        ("session", {"SessionMemory": lambda: None}),
    ):
        module = ModuleType(name)
        module.__dict__.update(attributes)
        monkeypatch.setitem(sys.modules, f"skillret.agents.{name}", module)
    return seen


def test_route_answers_as_a_hook_does_and_lets_every_prompt_through(retriever, agents, tmp_path):
    given = {"cwd": str(tmp_path), "session": "s", "agent": "codex", "transcript": "/x"}
    result = call(retriever, "route", prompt="soup", **given)
    assert [content.text for content in result.content] == ["soup 5000 $"]
    assert agents == [(("soup", "codex", tmp_path, "s", Path("/x")), "normal")]
    assert result.structured_content is None
    for arguments in ({"prompt": "break"}, {"prompt": "x", "agent": "nobody"}):
        broken = call(retriever, "route", **arguments)
        assert (broken.is_error, broken.content[0].text) == (False, "")
    logged = [(e["kind"], e["agent"], e.get("why", "")) for e in read_log()]
    assert logged[:2] == [
        ("decision", "codex", ""),
        ("failed", "claude-code", "RuntimeError: a bug"),
    ]
    assert "unknown agent 'nobody'" in logged[2][2]


def test_route_decides_by_the_skills_of_the_agent_and_the_folder(retriever, home, tmp_path):
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    description = "Find out why kubernetes pods crash or restart."
    write_skill(home / ".claude" / "skills", "pods-of-claude", description)
    write_skill(project / ".agents" / "skills", "pods-of-codex", description)
    server = create_server(OpenLater(lambda: retriever), Answers())
    prompt = "find out why my kubernetes pods crash and restart"

    async def work(client):
        asked = []
        for cwd, agent in ((tmp_path, "claude"), (project, "codex"), (tmp_path, "codex")):
            given = {"prompt": prompt, "cwd": str(cwd), "agent": agent, "session": "s"}
            for _ in range(2):
                result = await client.call_tool("route", given)
                asked.append(result.content[0].text)
        return asked

    claude, again, codex, *rest = talk(server, work)
    assert "- pods-of-claude (" in claude
    assert "- pods-of-codex (" in codex
    assert "pods-of-claude" not in codex
    assert (again, *rest) == ("", "", "", "")  # told already; nothing there
    assert "no place of Codex is there" in read_log()[-1]["why"]


def test_skills_are_listed_with_digests_of_what_is_read(retriever, library):
    async def work(client):
        listed = await client.session.send_request(
            Ask(method="skills/list", params=PaginatedRequestParams()), Answer
        )
        skill = next(s for s in listed.skills if s["frontmatter"]["name"] == "meal-planner")
        one = await client.session.send_request(
            Ask(method="skills/get", params=Get(uri=skill["uri"])), Answer
        )
        read = [await client.read_resource(r["uri"]) for r in skill["resources"]]
        return listed, skill, one, [r.contents[0] for r in read], client.server_capabilities

    listed, skill, one, contents, capabilities = ask(retriever, work)
    assert capabilities.extensions == {"io.modelcontextprotocol/skills": {}}
    assert capabilities.resources is not None
    assert len(listed.skills) == 4
    assert one.skill == skill
    assert (one.model_extra["resultType"], one.model_extra["cacheScope"]) == ("complete", "private")
    folder = library / "meal-planner"
    names = ["SKILL.md", "table.bin", "scripts/my week.py"]
    assert [r["size"] for r in skill["resources"]] == [(folder / n).stat().st_size for n in names]
    assert skill["resources"][2]["uri"].endswith("/meal-planner/scripts/my%20week.py")
    for name, resource, content in zip(names, skill["resources"], contents, strict=True):
        data = (folder / name).read_bytes()
        assert resource["digest"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
        assert hasattr(content, "text") == (name != "table.bin")
        if name != "table.bin":
            assert content.text.encode() == data


@pytest.mark.parametrize("path", ["../x", "%2e%2e/x", ".env", "link.md", "none.md", "a%2Fb", ""])
def test_resources_of_no_skill_are_invalid_parameters(retriever, path):
    name, _, digest = skill_id(retriever).rpartition("@")
    uris = [f"skill://{digest}/{name}/{path}", f"skill://{digest}/none/SKILL.md", "file:///etc/x"]

    async def work(client):
        codes = []
        for uri in uris:
            with pytest.raises(MCPError) as e:
                await client.read_resource(uri)
            codes.append(e.value.error.code)
            with pytest.raises(MCPError) as e:
                await client.session.send_request(
                    Ask(method="skills/get", params=Get(uri=uri)), Answer
                )
            codes.append(e.value.error.code)
        return codes

    assert set(ask(retriever, work)) == {-32602}


def test_skills_that_break_the_rules_or_the_limits_are_not_listed(retriever, library, monkeypatch):
    monkeypatch.setattr("skillret.serving.skills_extension._PAGE", 1)
    monkeypatch.setattr("skillret.serving.skill_files.MAX_FILES", 3)
    (library / "meal-planner" / "more.md").write_text("x")
    write_skill(library, "Bad Name")
    retriever.refresh()

    async def work(client):
        names, cursor, pages = [], None, 0
        while True:
            page = await client.session.send_request(
                Ask(method="skills/list", params=PaginatedRequestParams(cursor=cursor)), Answer
            )
            names += [s["frontmatter"]["name"] for s in page.skills]
            pages += 1
            cursor = page.model_extra.get("nextCursor")
            if cursor is None:
                return names, pages

    names, pages = ask(retriever, work)
    assert sorted(names) == ["kubernetes-debugging", "pdf-tables", "release-notes"]
    assert pages == 5


def environment(**more):
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), **more}


def arguments(library):
    return ["-m", "skillret", "mcp", "--library", str(library)]


def test_a_real_process_speaks_on_stdio_and_ends_with_its_stdin(library):
    server = StdioServerParameters(
        command=sys.executable, args=arguments(library), env=environment()
    )

    async def work(client):
        found = await client.call_tool("search_skills", {"query": "pods keep restarting", "k": 1})
        read = await client.call_tool(
            "read_skill", {"id": found.structured_content["skills"][0]["id"]}
        )
        return found.structured_content["skills"][0]["name"], read.structured_content["text"]

    name, text = talk(server, work)
    assert name == "kubernetes-debugging"
    assert "Read the events." in text
    # By hand: lines that are no protocol are refused, and never end it.
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}}
    hello["clientInfo"] = {"name": "test", "version": "1"}
    lines = [
        '{"jsonrpc":"2.0","id":1,"method":"initialize","params":' + json.dumps(hello) + "}",
        '{"jsonrpc":"2.0","method":"notifications/initialized"}',
        "no json",
        '{"jsonrpc":"2.0","id":2,"method":"tools/list"}',
    ]
    process = subprocess.Popen(
        [sys.executable, *arguments(library)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    process.stdin.write("".join(f"{line}\n" for line in lines).encode())
    process.stdin.flush()
    answers = []
    while not any(answer.get("id") == 2 for answer in answers):
        answers.append(json.loads(process.stdout.readline()))
    by_id = {answer.get("id"): answer for answer in answers}
    assert by_id[1]["result"]["protocolVersion"] == "2025-06-18"
    assert by_id[None]["error"]["code"] == -32700
    rest, noise = process.communicate(timeout=60)  # closes its stdin
    assert process.returncode == 0
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in rest.splitlines())
    assert b"Traceback" not in noise


def test_a_real_server_over_http_checks_who_asks(library):
    import httpx2

    key = "a-long-enough-key-123"
    process = subprocess.Popen(
        [sys.executable, *arguments(library), "--http", "--port", "0"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=environment(SKILLRET_API_KEY=key),
    )
    try:
        line = next(line for line in process.stderr if "MCP at" in line)
        url = line.split("MCP at ")[1].split(";")[0]
        body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        good = {
            "Authorization": f"Bearer {key}",
            "Accept": "application/json, text/event-stream",
        }
        odd = [
            ({"Authorization": ""}, 401),
            ({"Authorization": "Bearer wrong"}, 401),
            ({"Host": "evil.example"}, 421),
            ({"Origin": "https://evil.example"}, 403),
            ({"Content-Type": "text/plain"}, 400),
        ]
        with httpx2.Client() as http:
            assert http.post(url, json=body, headers=good).status_code == 200
            for headers, status in odd:
                assert http.post(url, json=body, headers={**good, **headers}).status_code == status
            large = http.post(url, json={**body, "x": "x" * 3_000_000}, headers=good)
            assert large.status_code == 413

        async def main():
            from mcp.client.streamable_http import streamable_http_client

            bearer = {"Authorization": f"Bearer {key}"}
            async with httpx2.AsyncClient(headers=bearer, timeout=120) as http:
                transport = streamable_http_client(url, http_client=http)
                async with Client(transport) as client:
                    assert len((await client.list_tools()).tools) == 3
                    return await client.call_tool("search_skills", {"query": "plan meals", "k": 1})

        found = anyio.run(main)
        assert found.structured_content["skills"][0]["name"] == "meal-planner"
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_a_prompt_does_not_wait_for_a_library_that_is_being_opened(monkeypatch, agents):
    monkeypatch.setattr("skillret.agents.answers.PATIENCE", 0)
    go_on = threading.Event()

    def slow():
        go_on.wait()
        raise InputError("no skills found")

    async def work(client):
        result = await client.call_tool("route", {"prompt": "soup"})
        go_on.set()
        return result

    opening = OpenLater(slow)
    opening._lock.acquire()  # as the thread does that opens it
    monkeypatch.setattr(opening, "start", lambda: None)
    result = talk(create_server(opening), work)
    assert result.content[0].text == ""
    assert agents == []


def test_the_front_matter_is_read_as_hosts_read_it():
    from skillret.serving.skills_extension import frontmatter_of

    text = (
        b"---\r\nname: a\r\ndescription: yes\r\nn: 1.5\r\nday: 2026-01-02\r\non: true\r\n---\r\nx"
    )
    assert frontmatter_of(text) == {
        "name": "a",
        "description": "yes",
        "n": 1.5,
        "day": "2026-01-02",
        "on": True,
    }
    for bad in (b"x", b"---\nname: a\n---\n", b"---\nname: &a b\ndescription: *a\n---\n"):
        with pytest.raises(InputError, match="cannot be served"):
            frontmatter_of(bad)
