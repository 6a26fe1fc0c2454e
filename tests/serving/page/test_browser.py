"""The page in a real Chromium."""

import re
import time
from dataclasses import replace

import pytest

from skillret import Index, Retriever
from skillret.agents.log import record
from skillret.serving.http.auth import Token
from skillret.serving.libraries import Libraries
from skillret.serving.service import Service
from tests.conftest import SKILLS
from tests.serving.page.conftest import EVIL

REQUEST = "write an invoice with payment terms"


def opened(page, path="/"):
    page.goto(page.address + path)
    page.wait_for_selector("#mapnote:has-text('skills in')")
    return page


def asked(page, text=REQUEST):
    page.fill("#query", text)
    page.wait_for_selector(".hit")
    return page


def settled(page, look):
    """What is drawn, once two frames show the same."""
    before, end = None, time.monotonic() + 30
    while time.monotonic() < end:
        now = look()
        if now == before:
            return now
        before = now
        page.wait_for_timeout(100)
    raise AssertionError("the page never comes to rest")


def drawn(page):
    return settled(page, lambda: page.locator("#map").screenshot())


def test_hits_as_one_types(page):
    opened(page)
    before = drawn(page)
    asked(page)
    assert page.locator(".hit .name").first.inner_text().startswith("invoice")
    assert page.locator(".hit").first.locator(".term").count()
    assert page.locator(".hit mark").first.inner_text().lower() in REQUEST
    left = page.locator(".hit:not(.selected) .reason").first
    assert left.inner_text().strip()
    assert drawn(page) != before  # they are lit
    page.keyboard.press("Escape")
    page.wait_for_selector(".hit", state="detached")
    assert drawn(page) == before


def test_what_fits_and_is_left_to_its_user(page, serve, tmp_path):
    def opened_():
        index = Index.in_memory()
        index.add([replace(SKILLS[0], user_only=True), *SKILLS[1:]])
        return Retriever(index)

    service = Service(Libraries(tmp_path / "other", opened_))
    page.address = serve(service)
    asked(opened(page), "extract all tables from a pdf file into spreadsheets")
    assert page.locator("#hits .nothing").inner_text() == "What fits is left to its user."
    parts = page.locator("#hits .part").all_inner_texts()
    assert [part.lower() for part in parts[:2]] == [
        "an agent would get nothing",
        "fits, but only you can start it",
    ]
    assert page.locator("#hits .hit .term").first.inner_text().startswith("extract")
    assert "is needed" not in page.locator("#summary").inner_text()
    names = page.locator("#hits .hit .name").all_inner_texts()
    assert names[0] == "pdf-tables"
    assert names.count("pdf-tables") == 1
    service.close()


def test_the_keyboard_alone_is_enough(page):
    opened(page)
    page.keyboard.press("Escape")
    page.locator("#map").focus()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "query"
    page.keyboard.type("kubernetes pods")
    page.wait_for_selector(".hit:has-text('kubernetes')")
    settled(page, lambda: page.locator("#hits").inner_text())
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    chosen = page.locator('.hit[aria-selected="true"]')
    assert chosen.count() == 1
    assert chosen.get_attribute("id") == page.locator("#query").get_attribute(
        "aria-activedescendant"
    )
    name = chosen.locator(".name").inner_text()
    page.keyboard.press("Enter")
    page.wait_for_selector("article.instructions h1")
    assert page.locator("#reader header h1").inner_text() == name
    assert page.locator(".verdict").inner_text()
    assert page.locator("#reader .bars li").count()
    page.keyboard.press("Escape")
    page.wait_for_selector("#reader", state="hidden")
    assert page.locator(".hit").count()


def test_what_was_shown_is_in_the_address(page):
    asked(opened(page))
    page.locator(".hit").nth(1).click()
    page.wait_for_selector("article.instructions")
    title = page.locator("#reader header h1").inner_text()
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector("article.instructions")
    assert page.locator("#reader header h1").inner_text() == title
    assert page.input_value("#query") == REQUEST


def test_the_map_moves(page):
    opened(page)
    whole = drawn(page)
    box = page.locator("#map").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.wheel(0, -600)
    near = drawn(page)
    assert near != whole
    page.mouse.down()
    page.mouse.move(x + 90, y + 40, steps=4)
    page.mouse.up()
    page.mouse.move(5, 5)
    assert drawn(page) != near
    page.locator("#map").focus()
    for key in ("+", "ArrowLeft", "-", "ArrowUp"):
        before = drawn(page)
        page.keyboard.press(key)
        assert drawn(page) != before, key
    page.keyboard.press("0")
    page.locator("#query").focus()
    assert drawn(page) == whole


def test_a_point_leads_to_its_skill(page):
    opened(page)
    point = page.evaluate(
        """async () => {
          const map = await (await fetch("/v1/map")).json();
          return { x: map.x[0] / map.unit, y: map.y[0] / map.unit, name: map.names[0] };
        }"""
    )
    box = page.locator("#map").bounding_box()
    # As the page fits it: the wider side with 70 pixels to spare, the other with 90.
    reach = page.evaluate(
        """async () => {
          const map = await (await fetch("/v1/map")).json();
          const most = (all) => Math.max(...all.map((v) => Math.abs(v))) / map.unit;
          return [most(map.x), most(map.y)];
        }"""
    )
    scale = min((box["width"] - 70) / (2 * reach[0]), (box["height"] - 90) / (2 * reach[1]))
    page.mouse.click(
        box["x"] + box["width"] / 2 + point["x"] * scale,
        box["y"] + box["height"] / 2 + point["y"] * scale,
    )
    page.wait_for_selector("article.instructions")
    assert page.locator("#reader header h1").inner_text() == point["name"]


def test_two_fingers_zoom(browser, serve):
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True)
    page = context.new_page()
    page.address = serve()
    opened(page)
    before = drawn(page)
    box = page.locator("#map").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = context.new_cdp_session(page)
    for kind, apart in (("touchStart", 20), ("touchMove", 60), ("touchMove", 110)):
        points = [{"x": x - apart, "y": y, "id": 1}, {"x": x + apart, "y": y, "id": 2}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert drawn(page) != before
    context.close()


def test_html_in_skills_is_inert(page):
    opened(page)
    page.expose_function("hit", lambda: page.evaluate("window.wasHit = true"))
    asked(page, "does evil things")
    evil = page.locator('.hit[data-id="evil/<b>&?#"]')
    assert evil.locator(".name").inner_text() == EVIL
    evil.click()
    page.wait_for_selector("article.instructions")
    assert page.locator("#reader header h1").inner_text() == EVIL
    assert page.locator("#reader script, #reader img, #reader svg, #hits script").count() == 0
    links = page.locator("article.instructions a[href]")
    for link in links.all():
        assert re.match(r"https?://", link.get_attribute("href"))
        assert "noopener" in link.get_attribute("rel")
    page.goto(page.address + "/#view=doctor")
    page.wait_for_selector(".filters")
    record("decision", "<i>x</i>", {"query": EVIL, "named": [{"name": EVIL}], "silent": EVIL})
    page.goto(page.address + "/#view=log")
    page.wait_for_selector(".decisions .asked")
    assert page.locator(".decisions .asked").inner_text() == EVIL
    assert page.locator("#log script, #log img, #log i").count() == 0
    assert page.evaluate("window.wasHit ?? false") is False


def test_the_policy_holds_even_where_the_page_would_not(page):
    opened(page)
    tried = page.evaluate(
        """() => {
          const refused = [];
          const attempt = (what, work) => { try { work(); } catch { refused.push(what); } };
          attempt("html", () => { document.body.innerHTML += "<b>x</b>"; });
          attempt("policy", () => trustedTypes.createPolicy("other", { createHTML: (x) => x }));
          return refused;
        }"""
    )
    assert tried == ["html", "policy"]
    assert len(page.wrong) == 2  # the browser says so
    page.wrong.clear()


def test_the_findings_and_the_log(page):
    opened(page)
    page.click("[data-tab=doctor]")
    page.wait_for_selector(".filters")
    kinds = page.locator(".kind").count()
    for button in page.locator(".filter").all():
        button.click()
    assert page.locator(".kind").count() == 0
    for button in page.locator(".filter").all():
        button.click()
    assert page.locator(".kind").count() == kinds
    page.click("[data-tab=log]")
    page.wait_for_selector("#log p:has-text('Nothing is logged yet')")
    record("decision", "codex", {"session": "s", "named": [{"name": "x"}], "silent": ""})
    page.click("[data-tab=explore]")
    page.click("[data-tab=log]")
    page.wait_for_selector("#log p:has-text('no agent has told yet that it then loaded one')")
    page.click("[data-tab=explore]")
    page.wait_for_selector("#explore")


def test_light_and_dark(page):
    opened(page)
    ground = "getComputedStyle(document.body).backgroundColor"
    light, map_ = page.evaluate(ground), drawn(page)
    page.click("#theme")
    dark = page.evaluate(ground)
    assert dark != light
    assert drawn(page) != map_
    page.reload()
    assert page.evaluate(ground) == dark


def test_the_width_of_a_phone(browser, serve):
    context = browser.new_context(viewport={"width": 360, "height": 740}, is_mobile=True)
    page = context.new_page()
    page.address = serve()
    asked(opened(page))
    wide = "document.documentElement.scrollWidth"
    assert page.evaluate(wide) == 360
    page.locator(".hit").first.click()
    page.wait_for_selector("article.instructions")
    assert page.locator("#reader").bounding_box()["width"] == 360
    assert page.evaluate(wide) == 360
    for view in ("doctor", "log"):
        page.goto(f"{page.address}/#view={view}")
        page.wait_for_selector(f"#{view} h1")
        assert page.evaluate(wide) == 360
    context.close()


def test_a_token_is_asked_for(browser, serve):
    context = browser.new_context()
    page = context.new_page()
    page.goto(serve(tokens=[Token.of("a-token-for-a-test", "read")]))
    page.wait_for_selector("#token[open] p:has-text('wants one')")
    page.fill("#token-text", "a-wrong-token-at-first")
    page.press("#token-text", "Enter")
    page.wait_for_selector("#token[open] p:has-text('not known')")
    page.fill("#token-text", "a-token-for-a-test")
    page.press("#token-text", "Enter")
    page.wait_for_selector("#token", state="hidden")
    page.wait_for_selector("#mapnote:has-text('skills in')")
    asked(page)
    context.close()


@pytest.mark.parametrize("words", ["   ", "\x00", "?" * 5000, "𝔘𝔫𝔦 🦊 \u202e"])
def test_odd_requests_are_answered(page, words):
    opened(page)
    page.fill("#query", words)
    page.fill("#query", REQUEST)
    page.wait_for_selector(".hit:has-text('invoice')")
