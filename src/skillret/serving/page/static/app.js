// Ties the parts of the page together: what is shown stands in the address behind the #.
import { ask } from "/page/api.js";
import { $, h, number } from "/page/dom.js";
import { showDoctor } from "/page/doctor.js";
import { showLog } from "/page/log.js";
import { SkillMap } from "/page/map.js";
import { Reader } from "/page/reader.js";
import { Search } from "/page/search.js";

const state = { view: "explore", library: "default", q: "", skill: "" };
const map = new SkillMap($("map"), { open: (id) => openSkill(id, true) });
const reader = new Reader($("reader"), { close: () => openSkill("") });
const search = new Search({
  typed: (q) => { state.q = q; remember(); },
  found: (found) => {
    map.light(found);
    reader.explain(found);
  },
  open: (id) => openSkill(id),
  active: (id) => map.point(id),
  group: (label) => map.fly(label.x, label.y, label.level + 2.2),
});

function openSkill(id, fromMap = false) {
  state.skill = id;
  remember();
  search.mark(id);
  map.inset = id && innerWidth > 900 ? $("reader").offsetWidth || Math.min(600, innerWidth * 0.42) : 0;
  if (id) reader.open(id, state.library);
  else reader.close();
  map.inset = id && innerWidth > 900 ? $("reader").offsetWidth : 0;
  map.point(id, { keep: fromMap });
}

function remember() {
  const parts = new URLSearchParams();
  if (state.view !== "explore") parts.set("view", state.view);
  if (state.library !== "default") parts.set("library", state.library);
  if (state.q) parts.set("q", state.q.slice(0, 1000));
  if (state.skill) parts.set("skill", state.skill);
  const wanted = `#${parts}`;
  if (location.hash !== wanted) history.replaceState(null, "", wanted === "#" ? location.pathname : wanted);
}

function follow() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const library = parts.get("library") ?? state.library;
  const view = parts.get("view") ?? "explore";
  if (library !== state.library) { state.library = library; openLibrary(); }
  if (parts.has("q")) search.fill(parts.get("q"), state.library);
  show(["doctor", "log"].includes(view) ? view : "explore");
  if (parts.get("skill")) openSkill(parts.get("skill"));
}

function show(view) {
  state.view = view;
  document.body.dataset.view = view;
  for (const name of ["explore", "doctor", "log"]) $(name).hidden = name !== view;
  for (const tab of document.querySelectorAll("[data-tab]")) {
    if (tab.dataset.tab === view) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  if (view === "doctor") showDoctor($("doctor"), state.library, readFromList);
  if (view === "log") showLog($("log"), readByName);
  if (view === "explore") map.resize();
  remember();
}

function readFromList(name) {
  show("explore");
  search.fill(name, state.library);
}
const readByName = readFromList;

async function openLibrary() {
  search.library = state.library;
  map.clear();
  try {
    const drawn = await map.load(state.library);
    search.groups(drawn);
    if (state.skill) map.point(state.skill);
  } catch (e) {
    $("mapnote").textContent = e.message;
  }
}

async function start() {
  follow();
  addEventListener("hashchange", follow);
  document.querySelector(".brand").addEventListener("click", (event) => {
    event.preventDefault();
    openSkill("");
    search.fill("", state.library);
    show("explore");
    map.fit(true);
  });
  document.querySelector('[data-tab="explore"]').addEventListener("click", (event) => {
    event.preventDefault();
    show("explore");
  });
  $("library").addEventListener("change", () => {
    state.library = $("library").value;
    openSkill("");
    openLibrary().then(() => search.fill(search.text, state.library));
    show(state.view);
  });
  $("theme").addEventListener("click", turn);
  addEventListener("keydown", keys);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => map.recolour());
  if (matchMedia("(pointer: fine)").matches) $("query").focus();
  openLibrary();
  const { libraries } = await ask("/v1/libraries").catch(() => ({ libraries: [] }));
  if (libraries.length > 1 || (libraries.length === 1 && libraries[0] !== state.library)) {
    $("library").replaceChildren(...libraries.map((name) => h("option", { value: name }, name)));
    if (!libraries.includes(state.library)) { state.library = libraries[0]; openLibrary(); }
    $("library").value = state.library;
    document.querySelector(".library").hidden = false;
  }
}

function turn() {
  const now = document.documentElement.dataset.theme
    ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
  try { localStorage.setItem("skillret-theme", document.documentElement.dataset.theme); } catch { /* no storage */ }
  map.recolour();
}

function keys(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (event.key === "/" && !typing) {
    event.preventDefault();
    show("explore");
    $("query").focus();
    $("query").select();
  } else if (event.key === "Escape" && !$("token").open) {
    if (state.view !== "explore") show("explore");
    else if (state.skill) { openSkill(""); $("query").focus(); }
    else if (search.text) search.fill("", state.library);
    else map.fit(true);
  }
}

start();
