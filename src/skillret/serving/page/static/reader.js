// One skill: what it says of itself, why it was found, and its SKILL.md.
import { ask } from "/page/api.js";
import { h, marked, score } from "/page/dom.js";
import { safe } from "/page/safe.js";

export class Reader {
  #id = "";
  #why = h("div.because");
  #found = null;

  constructor(element, tell) {
    this.element = element;
    this.tell = tell;
  }

  async open(id, library) {
    this.element.hidden = false;
    document.body.classList.add("reading");
    if (id === this.#id) return;
    this.#id = id;
    let skill;
    try {
      skill = await ask(`/v1/skills/${encodeURIComponent(id)}?format=html&library=${encodeURIComponent(library)}`);
    } catch (e) {
      if (id === this.#id) this.element.replaceChildren(this.#closing(), h("p.wrong", e.message));
      return;
    }
    if (id !== this.#id) return;
    this.element.replaceChildren(
      h("header", h("h1", skill.name), this.#closing()),
      h("p.description", skill.description),
      this.#why,
      facts(skill),
      h("article.instructions", ...safe(skill.html ?? "")),
    );
    this.element.scrollTop = 0;
    this.explain(this.#found);
  }

  close() {
    this.#id = "";
    this.element.hidden = true;
    document.body.classList.remove("reading");
  }

  #closing() {
    return h("button.icon.close", { type: "button", title: "Close (Escape)", onclick: () => this.tell.close() }, "×", h("span.unseen", "Close"));
  }

  /** Say why the skill was found, or why not. */
  explain(found) {
    this.#found = found;
    const hit = found && ([...found.hits, ...found.near].find((one) => one.id === this.#id));
    this.#why.replaceChildren(...(hit ? because(hit, found) : []));
    this.#why.hidden = !hit;
  }
}

function because(hit, found) {
  const selected = found.hits.some((one) => one.id === hit.id);
  const { terms = [], sentences = [], excluded = 0 } = hit.explanation ?? {};
  const most = Math.max(...terms.map(([, value]) => value), 1e-9);
  const parts = [
    h(`p.verdict${selected ? ".yes" : ""}`, selected ? `An agent would get it (${score(hit.score)}).` : `Left out: ${hit.reason || "not in the set"}.`),
  ];
  if (terms.length) {
    parts.push(h("h2", "Words that it shares"), h("ul.bars", ...terms.slice(0, 8).map(([word, value]) => bar(word, value.toFixed(2), value / most))));
  }
  if (sentences.length) {
    parts.push(h("h2", sentences.length > 1 ? "Sentences that carried it" : "How near the request is"),
      h("ul.bars.long", ...sentences.slice(0, 4).map(([text, value]) => bar(text, value.toFixed(2), Math.max(0, value)))));
  }
  if (excluded > 0) {
    parts.push(h("h2", "What it is not for"), h("p.not", `Its author excludes ${Math.round(100 * excluded)} % of what is asked; that counted against it.`));
  }
  return parts;
}

function bar(text, value, share) {
  const line = h("i");
  line.style.width = `${Math.round(100 * Math.min(1, share))}%`;
  return h("li", h("span.what", text), h("span.much", value), h("span.bar", line));
}

function facts(skill) {
  const rows = [];
  if (skill.path) rows.push(["File", path(skill.path)]);
  if (skill.user_only) rows.push(["Started by", "its user only, never by an agent"]);
  for (const [key, value] of Object.entries(skill.metadata ?? {}).slice(0, 20)) {
    rows.push([key, typeof value === "string" ? value : JSON.stringify(value)]);
  }
  return h("dl.facts", ...rows.flatMap(([name, value]) => [h("dt", name), h("dd", value)]));
}

function path(text) {
  if (/^https?:\/\//i.test(text)) return h("a", { href: text, rel: "noopener noreferrer nofollow", target: "_blank" }, text);
  const copy = h("button.copy", { type: "button", title: "Copy" }, text);
  copy.addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(text); copy.classList.add("done"); setTimeout(() => copy.classList.remove("done"), 900); } catch { /* not allowed */ }
  });
  return copy;
}
