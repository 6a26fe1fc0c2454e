// Hits as one types: what an agent would get, what else is near, and why.
import { Latest, ask } from "/page/api.js";
import { $, counted, h, marked, number, score } from "/page/dom.js";

const NEAR = 20;

export class Search {
  library = "default";
  text = "";
  #active = -1;
  #rows = [];
  #drawn = null;

  constructor(tell) {
    this.tell = tell;
    this.latest = new Latest(
      ({ query, library }) => ask("/v1/select", { body: { query, library, near: NEAR, explain: true } }),
      (asked, found) => this.#show(asked, found),
      (asked, e) => this.#fail(e),
    );
    const input = $("query");
    input.addEventListener("input", () => this.#typed());
    input.addEventListener("keydown", (event) => this.#keys(event));
    $("clear").addEventListener("click", () => { this.fill("", this.library); input.focus(); });
  }

  /** Put a text into the field, as if it was typed. */
  fill(text, library) {
    if (library) this.library = library;
    $("query").value = text;
    this.#typed();
  }

  #typed() {
    const input = $("query");
    input.style.height = "auto";
    input.style.height = `${Math.min(input.scrollHeight, 160)}px`;
    this.text = input.value.trim();
    $("clear").hidden = !this.text;
    document.body.classList.toggle("asked", Boolean(this.text));
    this.tell.typed(this.text);
    if (this.text) this.latest.ask({ query: this.text, library: this.library });
    else this.#start();
  }

  #keys(event) {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.#rows.length) {
      event.preventDefault();
      this.#move(Math.max(0, Math.min(this.#rows.length - 1, this.#active + step)));
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      const row = this.#rows[Math.max(this.#active, 0)];
      if (row) { this.#move(this.#rows.indexOf(row)); row.go(); }
    }
  }

  #move(place) {
    this.#active = place;
    this.#rows.forEach(({ element }, i) => element.setAttribute("aria-selected", String(i === place)));
    const row = this.#rows[place];
    if (!row) return $("query").removeAttribute("aria-activedescendant");
    $("query").setAttribute("aria-activedescendant", row.element.id);
    row.element.scrollIntoView({ block: "nearest" });
    if (row.id) this.tell.active(row.id);
  }

  /** Show which skill is being read. */
  mark(id) {
    for (const row of this.#rows) row.element.classList.toggle("open", Boolean(id) && row.id === id);
  }

  #show({ query }, found) {
    if (!this.text) return;  // it was cleared meanwhile
    const users = new Set(found.for_user.map((hit) => hit.id));
    const left = found.near.filter((hit) => !hit.selected && !users.has(hit.id));
    $("summary").replaceChildren(...summary(found));
    const open = document.querySelector(".hit.open")?.dataset.id;
    const active = this.#rows[this.#active]?.id;
    this.#rows = [];
    const parts = [
      h("h2.part", found.abstained ? "An agent would get nothing" : "An agent would get"),
      found.abstained ? h("p.nothing", because(found)) : null,
      ...found.hits.map((hit) => this.#row(hit, true)),
      ...(found.abstained ? [] : found.missing).map((part) => h("p.nothing", `No skill here does this: ${part}`)),
      users.size ? h("h2.part", `Fits${found.abstained ? "" : " too"}, but only you can start it`) : null,
      ...found.for_user.map((hit) => this.#row(hit, true)),
      left.length ? h("h2.part", "Near, but left out") : null,
      ...left.map((hit) => this.#row(hit, false)),
    ];
    const list = $("hits");
    list.replaceChildren(...parts.filter(Boolean));
    list.scrollTop = 0;
    if (open) this.mark(open);
    const still = active === undefined ? -1 : this.#rows.findIndex((row) => row.id === active);
    this.#active = still;
    if (still >= 0) this.#move(still);
    else $("query").removeAttribute("aria-activedescendant");
    this.tell.found({ ...found, query });
  }

  #row(hit, selected) {
    const words = hit.explanation?.terms.map(([word]) => word) ?? [];
    const go = () => this.tell.open(hit.id);
    const bar = h("span.bar", { "aria-hidden": "true" }, h("i"));
    bar.firstChild.style.width = `${Math.min(100, Math.max(1.5, 100 * hit.score))}%`;
    const element = h(
      `div.hit${selected ? ".selected" : ""}`,
      {
        role: "option",
        id: `hit-${this.#rows.length}`,
        "data-id": hit.id,
        "aria-selected": "false",
        onclick: () => { this.#move(this.#rows.findIndex((row) => row.element === element)); go(); },
        onpointerenter: (event) => { if (event.pointerType === "mouse") this.tell.active(hit.id, true); },
      },
      h("div.line", h("span.name", hit.name), hit.user_only ? h("span.tag", "by its user only") : null, h("span.score", { title: `score ${hit.score}` }, score(hit.score))),
      bar,
      h("p.about", ...marked(hit.description.slice(0, 400), words)),
      h("p.why", ...why(hit)),
      selected ? null : h("p.reason", hit.reason || "not in the set"),
    );
    this.#rows.push({ element, id: hit.id, go });
    return element;
  }

  #fail(e) {
    $("summary").replaceChildren(h("span.wrong", e.message));
  }

  /** What stands there before anything is asked: the groups of the map. */
  groups(drawn) {
    this.#drawn = drawn;
    if (!this.text) this.#start();
  }

  #start() {
    this.#rows = [];
    this.#active = -1;
    const drawn = this.#drawn;
    this.tell.found(null);
    $("summary").replaceChildren();
    if (!drawn) return $("hits").replaceChildren();
    const coarse = drawn.labels.filter((label) => label.level === 0);
    const groups = coarse.map((label, i) => {
      const go = () => this.tell.group(label);
      const element = h("div.group", { role: "option", id: `group-${i}`, "aria-selected": "false", onclick: go },
        h("span.dot", { "data-group": drawn.groupOf(label) % 10 }), h("span", label.text), h("span.quiet", number(label.size)));
      this.#rows.push({ element, go });
      return element;
    });
    const lead = `${counted(drawn.ids.length, "skill")}. Type what you would ask an agent: you see which it would get, and why.`;
    $("hits").replaceChildren(h("p.lead", lead), ...(groups.length ? [h("h2.part", "What there is"), ...groups] : []));
  }
}

function summary(found) {
  const parts = [];
  const userOnly = found.abstained && found.for_user.length > 0;  // the probability is of the rest
  if (found.need !== null && !userOnly) {
    const gauge = h("span.gauge", { title: "probability that a skill is needed, and from where on one is given" }, h("i"), h("b"));
    gauge.firstChild.style.width = `${100 * Math.min(1, Math.max(0, found.need))}%`;
    gauge.lastChild.style.left = `${100 * Math.min(1, found.threshold)}%`;
    parts.push(gauge, h("span", `needs a skill: ${score(found.need)}`));
  }
  parts.push(h("span.quiet", `${Math.round(found.took_ms)} ms`));
  return parts;
}

function because(found) {
  if (found.for_user.length) return "What fits is left to its user.";
  if (found.missing.length) return "It asks for something that no skill of this library does.";
  if (found.need !== null && found.need < found.threshold) {
    return `It seems to need no skill: ${score(found.need)}, and only from ${score(found.threshold)} on is one given.`;
  }
  return "No skill of this library is likely enough to be what is asked for.";
}

function why(hit) {
  const parts = (hit.explanation?.terms ?? []).slice(0, 5).map(([word, value]) =>
    h("span.term", { title: `adds ${value.toFixed(2)} to the words' score` }, word, h("small", value.toFixed(1))));
  if (!parts.length) parts.push(h("span.quiet", "by its meaning; no word is shared"));
  if (hit.explanation?.excluded > 0) {
    parts.push(h("span.term.not", { title: "its author says that it is not for this" }, "not for this", h("small", `−${hit.explanation.excluded.toFixed(2)}`)));
  }
  return parts;
}
