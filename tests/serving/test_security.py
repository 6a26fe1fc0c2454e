import socket

import anyio
import pytest

from skillret.errors import InputError
from skillret.serving.security import (
    API_KEY,
    BearerKey,
    allowed_hosts,
    is_allowed,
    is_loopback,
    listen,
    read_key,
)

KEY = "a-long-enough-key"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b"authorization", f"Bearer {KEY}".encode())], 204),
        ([(b"Authorization", f"bearer  {KEY}".encode())], 204),
        ([], 401),
        ([(b"authorization", b"Bearer")], 401),
        ([(b"authorization", f"Basic {KEY}".encode())], 401),
        ([(b"authorization", f"Bearer {KEY}x".encode())], 401),
        ([(b"authorization", b"Bearer \xff")], 401),
        ([(b"authorization", f"Bearer {KEY}".encode())] * 2, 401),
    ],
)
def test_only_who_has_the_key_is_let_in(headers, status):
    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204})

    async def send(message):
        sent.append(message)

    anyio.run(BearerKey(app, KEY), {"type": "http", "headers": headers}, None, send)
    assert sent[0]["status"] == status


def test_keys_come_from_a_file_or_the_environment(tmp_path, monkeypatch):
    assert read_key(None) is None
    monkeypatch.setenv(API_KEY, KEY)
    assert read_key(None) == KEY
    file = tmp_path / "key"
    file.write_text(f"{KEY}-of-a-file\n")
    assert read_key(str(file)) == f"{KEY}-of-a-file"
    for text in ("", "short", "two words of a key", "k\u00e9y" * 10):
        file.write_text(text)
        with pytest.raises(InputError, match="at least 16 characters"):
            read_key(str(file))
    for name in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match="cannot read the key"):
            read_key(str(name))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback(host):
    assert is_loopback(host)
    hosts, origins = allowed_hosts(host)
    assert {"127.0.0.1:*", "localhost", "[::1]:*"} <= set(hosts)
    assert "http://localhost:*" in origins
    assert "evil.example" not in hosts


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", ""])
def test_others_need_a_key(host):
    assert not is_loopback(host)
    assert allowed_hosts(host) is None
    assert "skills.example" in allowed_hosts(host, ["Skills.Example"])[0]
    with pytest.raises(InputError, match="give a key"):
        listen(host, 0, None)


def test_a_port_that_is_taken_is_said_in_one_line():
    with listen("127.0.0.1", 0, None) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"cannot listen on 127\.0\.0\.1 port {port}: "):
            listen("127.0.0.1", port, None)


def test_small_answers_do_not_wait_for_an_acknowledgement():
    with (
        listen("127.0.0.1", 0, None) as listening,
        socket.create_connection(listening.getsockname()),
    ):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(
    "name", ["https://a.example", "*.a.example", "", "a b", "a.example:x", "::1"]
)
def test_what_no_browser_sends_as_a_host_is_refused(name):
    with pytest.raises(InputError, match="is no name of a host: give it as in"):
        allowed_hosts("127.0.0.1", [name])


@pytest.mark.parametrize("name", ["a.example", "A.example:8443", "[::1]:80", "10.0.0.1", "my_host"])
def test_names_of_hosts(name):
    hosts, origins = allowed_hosts("127.0.0.1", [name])
    assert is_allowed(name, hosts)
    assert is_allowed(f"https://{name}", origins)
