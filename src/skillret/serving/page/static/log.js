// What agents were told at their prompts, and what became of it.
import { ask } from "/page/api.js";
import { counted, h, score } from "/page/dom.js";

export async function showLog(place, read) {
  place.replaceChildren(h("h1", "Log of decisions"), h("p.quiet.wait", "…"));
  let log;
  try {
    log = await ask("/v1/log?limit=200");
  } catch (e) {
    place.replaceChildren(h("h1", "Log of decisions"), h("p.wrong", e.message));
    return;
  }
  const share = Math.round((100 * log.followed) / log.decisions_that_name);
  const loaded = log.followed ? `${share} % of the times one of them was then loaded` : "no agent has told yet that it then loaded one";
  const told = log.decisions_that_name
    ? `Skills were named ${counted(log.decisions_that_name, "time")}; ${loaded}.`
    : log.total ? "Nothing was named yet." : "Nothing is logged yet: skillret install lets agents ask at each prompt.";
  const days = new Map();
  for (const entry of log.entries) {
    const time = new Date(entry.time);
    const day = Number.isNaN(time.valueOf()) ? entry.time : time.toLocaleDateString(undefined, { weekday: "long", day: "numeric", month: "long" });
    days.set(day, [...(days.get(day) ?? []), { ...entry, at: Number.isNaN(time.valueOf()) ? "" : time.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" }) }]);
  }
  place.replaceChildren(
    h("h1", "Log of decisions"),
    h("p.quiet", told),
    ...[...days].map(([day, entries]) => h("section.day", h("h2", day), h("ol.decisions", ...entries.map((entry) => decision(entry, read))))),
  );
}

function decision(entry, read) {
  const loaded = new Map((entry.loaded ?? []).map((one) => [one.name, one.named]));
  const others = [...loaded].filter(([, named]) => !named).map(([name]) => name);
  const named = entry.named ?? [];
  return h(`li${entry.kind === "failed" ? ".failed" : named.length ? ".named" : ".silent"}`,
    h("div.when", h("time", entry.at), h("span.quiet", entry.agent)),
    h("div.what",
      entry.query ? h("p.asked", entry.query) : null,
      ...named.map((one) => h("p.one",
        h("button.link", { type: "button", onclick: () => read(String(one.name)) }, String(one.name)),
        h("span.score", score(one.score)),
        loaded.get(one.name) ? h("span.tag.yes", "loaded") : null,
        one.reason ? h("span.reasoned", String(one.reason)) : null)),
      entry.silent ? h("p.quiet", `Named nothing: ${entry.silent}${entry.need === null || entry.need === undefined ? "" : ` (needs a skill: ${score(entry.need)})`}`) : null,
      entry.kind === "failed" ? h("p.wrong", `Failed: ${entry.why}`) : null,
      others.length ? h("p.quiet", `Loaded without being named: ${others.join(", ")}`) : null,
      entry.cwd ? h("p.path", String(entry.cwd)) : null));
}
