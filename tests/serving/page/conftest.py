import os
import shutil
import threading
import time

import pytest
import uvicorn

from skillret import Index, Retriever
from skillret.serving.http.app import Options, create_app
from skillret.serving.libraries import Libraries
from skillret.serving.security import listen
from skillret.serving.service import Service
from tests.conftest import HashEncoder, make_skill

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome")
NO_BROWSER = (
    "no Chromium here, so nothing of the page was tried in a browser: `make browser` gets one, or"
    " set SKILLRET_TEST_BROWSER to one"
)
EVIL = "<img src=x onerror=hit()><script>hit()</script>"
EVIL_BODY = """# Evil <script>hit()</script>

<script>hit()</script>
<img src=x onerror="hit()"><svg onload=hit()></svg>

[run](javascript:hit()) [data](data:text/html,<script>hit()</script>) [file](scripts/run.sh)
[out](https://example.org/"onmouseover="hit()) ![track](http://127.0.0.1:9/pixel.png "t")

| a | b |
|--:|:-:|
| <b onclick=hit()>1</b> | 2 |

```js"onload=hit()
hit()
```
"""


def themed_skills():
    """Skills of three themes, whose words make each alike."""
    themes = {
        "invoice": "Write invoices and check payment terms of customers with tax numbers.",
        "kubernetes": "Debug kubernetes pods, deployments and cluster networks under load.",
        "poem": "Write poems with rhymes, verses and a metre for birthdays and weddings.",
    }
    return [
        make_skill(f"{theme}-{number}", f"{text} Number {number}.", f"# {theme}\n\nStep {number}.")
        for theme, text in themes.items()
        for number in range(20)
    ]


@pytest.fixture
def retriever():
    index = Index.in_memory(model=HashEncoder())
    index.add(themed_skills())
    return Retriever(index)


@pytest.fixture
def service(tmp_path):
    encoder = HashEncoder()
    with Index.open(tmp_path / "i.db", create=True, model=encoder) as index:
        evil = make_skill(EVIL, f"Does evil things {EVIL}", EVIL_BODY, id="evil/<b>&?#")
        index.update([*themed_skills(), evil])
    opened = lambda: Retriever.open(index=tmp_path / "i.db", model=encoder)  # noqa: E731
    service = Service(Libraries(tmp_path / "served", opened))
    yield service
    service.close()


@pytest.fixture
def serve(service):
    """Starts servers on real sockets, and gives their addresses."""
    running = []

    def start(other=None, **options):
        opened = listen("127.0.0.1", 0, None)
        app = create_app(other or service, Options(log_requests=False, **options))
        config = uvicorn.Config(app, log_level="warning", ws="none")
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None
        thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, daemon=True)
        thread.start()
        running.append((server, thread))
        end = time.monotonic() + 60
        while not server.started and time.monotonic() < end:
            time.sleep(0.02)
        assert server.started
        return f"http://127.0.0.1:{opened.getsockname()[1]}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture(scope="module")  # while it is there, no other test can run an event loop
def browser():
    """A real Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason=NO_BROWSER)
    named = os.environ.get("SKILLRET_TEST_BROWSER")
    file = named or next(filter(None, map(shutil.which, BROWSERS)), None)
    if file is None:
        pytest.skip(NO_BROWSER)
    with playwright.sync_playwright() as p:
        # As root, as in a container, Chromium starts without its sandbox only.
        opened = p.chromium.launch(executable_path=file, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser, serve):
    """The page in a window; nothing may be wrong in its console, and nothing may run."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page, wrong = context.new_page(), []
    page.set_default_timeout(60_000)
    page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: wrong.append(str(e)))
    page.on("dialog", lambda d: wrong.append(d.message))
    page.address = serve()
    page.asked, page.wrong = [], wrong
    page.on("request", lambda r: page.asked.append(r.url))
    yield page
    context.close()
    assert wrong == []
    assert [url for url in page.asked if not url.startswith(page.address)] == []
