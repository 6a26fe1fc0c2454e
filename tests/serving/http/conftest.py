import time

import pytest
from starlette.testclient import TestClient

from skillret import Retriever
from skillret.serving.http.app import Options, create_app
from skillret.serving.libraries import Libraries
from skillret.serving.service import Service
from tests.conftest import HashEncoder


def wait_for(is_so, seconds=60):
    """Look again and again until something is so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = is_so()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it was not so in time")


@pytest.fixture
def service(tmp_path, library):
    """A library of four skills that is read-only, and one that may be written."""
    encoder, index = HashEncoder(), tmp_path / "i.db"
    opened = lambda: Retriever.open(library=library, index=index, model=encoder)  # noqa: E731
    service = Service(Libraries(tmp_path / "served", opened))
    service.libraries.create("team")
    return service


@pytest.fixture
def serve(service):
    """Makes clients of an application with some options."""
    opened = []

    def make(**options):
        client = TestClient(
            create_app(service, Options(**options)),
            base_url="http://127.0.0.1:8377",
            raise_server_exceptions=False,
        )
        client.__enter__()
        opened.append(client)
        wait_for(lambda: client.get("/readyz").status_code == 200)
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def client(serve):
    """A client that may do all."""
    return serve()
