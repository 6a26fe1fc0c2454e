"""Clients against the real service on a real socket; and against answers that it never gives."""

import json
import socket
import threading
from dataclasses import replace

import anyio
import httpx
import pytest

from skillret import AsyncClient, Client, Hit, Retriever, Skill, SkillretError
from skillret.client import LibraryInfo
from skillret.errors import IndexBusyError, InputError, ServiceError, StoreError
from skillret.serving.http.app import Options, create_app
from skillret.serving.http.auth import Token
from skillret.serving.libraries import Libraries
from skillret.serving.service import Service
from tests.conftest import SKILLS, make_skill, write_skill
from tests.served import served

QUERY = "get the tables out of this scanned PDF. Then restart the pods"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("skills")
    for skill in SKILLS:
        write_skill(folder, skill.name, skill.description, skill.body)
    return folder


@pytest.fixture(scope="module")
def retriever(folder, tmp_path_factory):
    """What the service serves, without it."""
    index = tmp_path_factory.mktemp("own") / "index.db"
    with Retriever.open(library=folder, index=index) as retriever:
        yield retriever


@pytest.fixture(scope="module")
def url(folder, tmp_path_factory):
    place = tmp_path_factory.mktemp("served")

    def default():
        return Retriever.open(library=folder, index=place / "default.db")

    tokens = [Token.of("reader", "read"), Token.of("writer", "write"), Token.of("a", "write", "a")]
    app = create_app(Service(Libraries(place, default)), Options(tokens=tokens, page=False))
    with served(app) as url:
        yield url


@pytest.fixture
def client(url):
    with Client(url, "writer") as client:
        yield client


@pytest.fixture
def team(url):
    """A client on a library that is its own."""
    with Client(url, token="writer", library="team") as team:
        team.create_library("team")
        yield team
        team.delete_library("team")


def known(hits):
    """Hits as a service knows them."""
    return [replace(hit, dense=None, lexical=None) for hit in hits]


def test_it_answers_as_a_retriever_does(client, retriever):
    assert client.search(QUERY) == known(retriever.search(QUERY))
    assert client.search(QUERY, 2, mode="lexical") == known(
        retriever.search(QUERY, 2, mode="lexical")
    )
    queries = [QUERY, "plan my meals"]
    batch = client.search_batch(queries, k=1, explain=True)
    assert batch == [known(hits) for hits in retriever.search_batch(queries, k=1, explain=True)]
    assert batch[0][0].explanation.terms
    selection = client.select(QUERY)
    own = retriever.select(QUERY)
    assert selection == replace(own, hits=tuple(known(own.hits)))
    assert {hit.name for hit in selection} == {"pdf-tables", "kubernetes-debugging"}
    assert client.select("thanks, that was all").abstained
    port = "migrate our Oracle stored procedures to BigQuery"
    assert client.select(port).missing == retriever.select(port).missing == (port,)
    near, selection = client.look_up("plan my meals", k=3)
    own_near, own = retriever.look_up("plan my meals", k=3)
    assert (near, list(selection)) == (known(own_near), known(own.hits))


def test_what_fits_and_is_left_to_its_user_is_told(team):
    team.put_all([replace(SKILLS[0], user_only=True), *SKILLS[1:]])
    selection = team.select("extract all tables from a pdf file into spreadsheets")
    assert selection.abstained
    assert [(hit.name, hit.user_only) for hit in selection.for_user] == [("pdf-tables", True)]


def test_the_async_one_answers_as_the_plain_one_does(url, client):
    async def ask():
        async with AsyncClient(url, token="writer", library="async") as other:
            await other.create_library("async")
            assert "async" in await other.libraries()
            try:
                assert await other.put(SKILLS[0])
                assert await other.put_all(SKILLS) == 3
                assert [s.id async for s in other.skills()] == [s.id for s in SKILLS]
                assert (await other.get(SKILLS[1].id)).body == SKILLS[1].body
                assert await other.get("nothing") is None
                assert await other.delete(SKILLS[0].id)
                assert not await other.delete(SKILLS[0].id)
                assert (await other.library_info()).skills == 3
            finally:
                await other.delete_library("async")
        async with AsyncClient(url, token="reader") as other:
            return (
                await other.search(QUERY),
                await other.search_batch([QUERY], 2, explain=True),
                await other.select(QUERY),
                await other.look_up(QUERY, 2),
            )

    assert anyio.run(ask) == (
        client.search(QUERY),
        client.search_batch([QUERY], 2, explain=True),
        client.select(QUERY),
        client.look_up(QUERY, 2),
    )


def test_many_threads_share_one(client):
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(client.search(QUERY))) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [client.search(QUERY)] * 16


def test_skills_are_put_found_read_and_deleted(team):
    skill = make_skill(
        "tax-return", "Fill in a tax return.", "# Steps\n", metadata={"team": "x", "n": 1}
    )
    assert team.put(skill) is True
    assert team.put(replace(skill, body="# Other steps\n")) is False
    hits = team.search("help me with my tax return", where={"team": "x"})
    assert [hit.id for hit in hits] == ["tax-return"]
    assert hits[0].metadata == {"team": "x", "n": 1}
    assert team.search("help me with my tax return", where={"team": ["y"]}) == []
    assert team.get("tax-return") == replace(skill, body="# Other steps\n")
    assert team.library_info() == LibraryInfo("team", True, 1, 3, "skillret-minilm-int8")
    assert team.library_info("default").writable is False
    assert set(team.libraries()) >= {"default", "team"}
    assert team.delete("tax-return") is True
    assert team.delete("tax-return") is False
    assert team.get("tax-return") is None


@pytest.mark.parametrize(
    "id_", ["a/b@1", "a b", "50%", "%2F", "ü/日本", "?x=1#y", "a+b", ".", "..", "a/../b", ""]
)
def test_an_id_arrives_as_it_is_or_is_refused(team, id_):
    try:
        team.put(make_skill("odd", id=id_))
    except InputError:
        # None of these is an id, by `skill_files.check_id` or as a part of a path.
        assert id_ in (".", "..", "a/../b", "", "%2F")
        with pytest.raises(InputError):
            team.get(id_)
        return
    assert team.get(id_).id == id_
    assert [skill.id for skill in team.skills()] == [id_]
    assert team.delete(id_)


@pytest.mark.parametrize("put", ["put", "put_all"])
def test_all_of_a_skill_arrives_but_what_is_of_this_machine(team, put):
    sent = {"body": "# Steps\n", "metadata": {"a": ["x", 1.5]}, "user_only": True}
    kept = {"path": "/x/SKILL.md", "aliases": ("/y/SKILL.md",), "shadowed_by": "/z/SKILL.md"}
    skill = make_skill("deploy", "Deploy to production.", **sent, **kept, extra={"license": "MIT"})
    getattr(team, put)(skill if put == "put" else [skill])
    assert team.get("deploy") == make_skill("deploy", "Deploy to production.", **sent)
    assert team.search("deploy to production")[0].user_only


def test_all_skills_are_listed_page_by_page(team, monkeypatch):
    monkeypatch.setattr("skillret.client.calls._PAGE", 2)
    team.put_all([make_skill(f"skill-{n}", metadata={"odd": n % 2 == 1}) for n in range(5)])
    assert [skill.name for skill in team.skills()] == [f"skill-{n}" for n in range(5)]
    assert [skill.name for skill in team.skills(name="L-3")] == ["skill-3"]
    assert [s.name for s in team.skills(where={"odd": True})] == ["skill-1", "skill-3"]
    assert all(skill.body == "" for skill in team.skills())


def test_more_skills_than_one_body_may_hold_are_sent_in_several(team):
    skills = [make_skill(f"long-{n}", body="word " * 100_000) for n in range(6)]  # 3 MB
    assert team.put_all(iter(skills)) == 6
    assert team.library_info().skills == 6
    assert team.put_all(skills) == 0
    assert team.put_all([]) == 0


def test_more_skills_than_one_request_may_hold_are_sent_in_several(team):
    skills = [Skill(str(n), "x", "y", "") for n in range(1001)]
    assert team.put_all(skills) == 1001


@pytest.mark.parametrize(
    "queries",
    [[], ["plan my meals"] * 257 + ["restart the pods"], [f"{QUERY} {'x' * 700_000}"] * 4],
)
def test_as_many_queries_are_answered_as_a_retriever_answers(url, client, retriever, queries):
    async def ask():
        async with AsyncClient(url, token="writer") as other:
            return await other.search_batch(queries, 1, mode="lexical")

    own = [known(hits) for hits in retriever.search_batch(queries, 1, mode="lexical")]
    assert client.search_batch(queries, 1, mode="lexical") == own
    assert anyio.run(ask) == own


def test_what_the_service_finds_wrong_is_said_by_the_client(client):
    for ask, said in [
        (lambda: client.search(""), "query"),
        (lambda: client.search("x", k=1000), "k"),
        (lambda: client.search("x", mode="magic"), "mode"),
        (lambda: client.search("x", where={"a": {"b": 1}}), "where"),
        (lambda: client.put(SKILLS[0]), "read-only"),
        (lambda: client.delete("pdf-tables"), "read-only"),
        (lambda: client.delete_library("default"), "read-only"),
        (lambda: client.create_library("A B"), "name"),
        (lambda: client.create_library(""), "name of a library"),
        (lambda: client.library_info("none"), "no library 'none'"),
        (lambda: client.search_batch("x"), "there is `search`"),
        (lambda: client.search("x", where={"a": float("nan")}), "JSON"),
        (lambda: client.search("x", where={"a": object()}), "JSON"),
    ]:
        with pytest.raises(InputError, match=said) as e:
            ask()
        assert "\n" not in str(e.value)


def test_whom_the_service_does_not_let_in_is_told_why(url):
    for token, library, ask, said in [
        ("writer", "none", lambda one: one.search("x"), "no library 'none'"),
        ("writer", "none", lambda one: one.get("x"), "no library 'none'"),
        (None, "default", lambda one: one.search("x"), "give it as `token`"),
        ("wrong", "default", lambda one: one.search("x"), "give it as `token`"),
        ("reader", "default", lambda one: one.create_library("x"), "read"),
        ("a", "default", lambda one: one.search("x"), "default"),
    ]:
        with Client(url, token, library=library) as one, pytest.raises(InputError, match=said):
            ask(one)


def test_a_query_that_is_no_unicode_is_searched_all_the_same(client):
    assert client.search("scanned \ud800 pdf tables")[0].name == "pdf-tables"


def test_the_application_itself_can_be_asked_without_a_socket(folder, tmp_path):
    service = Service(Libraries(tmp_path, lambda: Retriever.open(library=folder)))
    app = create_app(service, Options(page=False))

    async def ask():
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport) as http,
            AsyncClient("http://127.0.0.1", http=http) as client,
        ):
            found = await client.search(QUERY, 1)
            assert not http.is_closed
            return found

    assert anyio.run(ask)[0].name in ("pdf-tables", "kubernetes-debugging")


# --- answers that the real one gives rarely, or never ------------------------------------------


def answering(*answers, **options):
    """A client whose requests are answered in turn; and the requests."""
    asked, left = [], list(answers)

    def answer(request):
        asked.append(request)
        given = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(given, Exception):
            raise given
        return given

    http = httpx.Client(transport=httpx.MockTransport(answer))
    return Client("http://service/base/", http=http, **options), asked


def busy(after="0", status=429, kind="too_many_requests"):
    headers = {} if after is None else {"Retry-After": after}
    body = {"error": "try again in a second", "error_type": kind}
    return httpx.Response(status, json=body, headers=headers)


FOUND = {"rank": 1, "id": "a", "name": "a", "description": "d", "score": 0.5}


def test_a_service_that_asks_for_patience_is_asked_again():
    client, asked = answering(busy(), busy(status=503), httpx.Response(200, json={"hits": [FOUND]}))
    assert client.search("x") == [Hit(1, "a", "a", "d", None, 0.5)]
    assert [str(request.url) for request in asked] == ["http://service/base/v1/search"] * 3
    assert len({request.content for request in asked}) == 1


def test_an_async_one_waits_too():
    answers = [busy(), httpx.Response(200, json={"hits": []})]

    async def ask():
        transport = httpx.MockTransport(lambda request: answers.pop(0))
        async with httpx.AsyncClient(transport=transport) as http:
            return await AsyncClient("http://service", http=http).search("x")

    assert anyio.run(ask) == []
    assert answers == []


def test_it_waits_for_as_long_as_it_is_asked_to(monkeypatch):
    waited = []
    monkeypatch.setattr("time.sleep", waited.append)
    client, _ = answering(busy("7"), httpx.Response(200, json={"hits": []}))
    client.search("x")
    assert waited == [7.0]


@pytest.mark.parametrize(
    ("answer", "tries", "kind"),
    [
        (busy(), 4, ServiceError),  # it never has time
        (busy("3600"), 1, ServiceError),  # more than anyone waits
        (busy("Wed, 21 Oct 2026 07:28:00 GMT"), 1, ServiceError),
        (busy("-1"), 1, ServiceError),
        (busy(None), 1, ServiceError),
        (busy(status=503, kind="index_busy"), 4, IndexBusyError),
        (busy(None, 503, "index_unavailable"), 1, StoreError),
        (busy(None, 500, "internal_error"), 1, ServiceError),
        (busy("0", 500, "internal_error"), 1, ServiceError),
        (busy("0", 404, "not_found"), 1, InputError),
    ],
)
def test_nothing_else_is_repeated(answer, tries, kind):
    client, asked = answering(answer)
    with pytest.raises(kind, match="try again in a second"):
        client.search("x")
    assert len(asked) == tries


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>a proxy says\nhello</html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"hits": None}),
        httpx.Response(200, json={"hits": [{}]}),
        httpx.Response(200, json={"hits": ["x"]}),
        httpx.Response(200),
        httpx.Response(204),
        httpx.Response(301, headers={"Location": "http://elsewhere/"}),
        httpx.Response(404, text="no such page"),
        httpx.Response(404, json={"detail": "Not Found"}),
        httpx.Response(502, text="bad gateway \x1b[31m"),
    ],
)
def test_what_is_no_answer_of_a_service_is_said_to_be_none(answer):
    client, _ = answering(answer)
    with pytest.raises(ServiceError, match="http://service/base") as e:
        client.search("x")
    assert str(e.value).isprintable()


def test_a_page_that_leads_to_itself_is_left():
    page = {"skills": [], "next": "1", "total": 9}
    client, asked = answering(httpx.Response(200, json=page))
    with pytest.raises(ServiceError):
        list(client.skills())
    assert len(asked) == 2


def test_a_missing_page_is_no_missing_skill():
    client, _ = answering(httpx.Response(404, text="no such page"))
    for ask in (client.get, client.delete):
        with pytest.raises(ServiceError, match="404"):
            ask("x")


def test_nobody_there_and_nobody_answering():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with (
            Client(f"http://127.0.0.1:{port}", timeout=0.05) as client,
            pytest.raises(ServiceError, match="not answered in time; raise the client's `timeout`"),
        ):
            client.search("x")
    with (
        Client(f"http://127.0.0.1:{port}") as client,
        pytest.raises(ServiceError, match="is `skillret serve` running there"),
    ):
        client.search("x")


def test_an_answer_that_breaks_off_is_an_error():
    client, _ = answering(httpx.RemoteProtocolError("peer closed connection"))
    with pytest.raises(ServiceError, match="peer closed connection"):
        client.search("x")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8377",
        "localhost",
        "ftp://x",
        "http://",
        "http://u:secret@x",
        "http://[",
        "http://x:99999",
        "http://x:a",
        "http://x?y=1",
        "http://x#y",
        "http://x\n",
        None,
    ],
)
def test_no_address_is_an_error_that_shows_no_password(url):
    with pytest.raises(InputError, match=r"give one such as http://127\.0\.0\.1:8377") as e:
        Client(url)
    assert "secret" not in str(e.value)


def test_a_token_is_sent_and_never_shown():
    client, asked = answering(httpx.Response(500, text="no"), token="s3cret-token")
    with pytest.raises(ServiceError) as e:
        client.search("x")
    assert asked[0].headers["authorization"] == "Bearer s3cret-token"
    assert "s3cret" not in f"{client!r} {e.value}"
    for bad in ("line\nbreak", "ü", "a\r\nX-Injected: 1"):
        with pytest.raises(InputError, match="one word of ASCII"):
            Client("http://service", token=bad)


def test_without_httpx_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "httpx", None)
    with pytest.raises(SkillretError, match=r"pip install 'skillret\[client\]'"):
        Client("http://service")


def test_what_is_sent_is_what_was_agreed_on():
    client, asked = answering(httpx.Response(200, json={"hits": [], "need": 0.0}), library="team")
    client.select("x", where={"a": [1]}, limit=2)
    assert json.loads(asked[0].content) == {
        "query": "x",
        "limit": 2,
        "where": {"a": [1]},
        "near": 0,
        "explain": False,
        "library": "team",
    }
