// What is wrong with a library, and what to do.
import { ask } from "/page/api.js";
import { $, counted, h, number } from "/page/dom.js";

const SHOWN = 8;  // of a kind
const REMEDIES = 2;
const capital = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);

export async function showDoctor(place, library, read) {
  place.replaceChildren(h("h1", "Doctor"), h("p.quiet.wait", "Looking at every skill. In a large library this takes a while, once."));
  let found;
  try {
    found = await ask(`/v1/doctor?library=${encodeURIComponent(library)}`, { patient: true });
  } catch (e) {
    place.replaceChildren(h("h1", "Doctor"), h("p.wrong", e.message));
    return;
  }
  const open = found.findings.filter((one) => one.dismissed === null);
  const badge = $("doctor-count");
  badge.textContent = number(found.errors + found.warnings);
  badge.hidden = !(found.errors + found.warnings);
  const list = h("div.findings");
  const wanted = new Set(["error", "warning", "remark"]);
  const draw = () => list.replaceChildren(...kinds(open.filter((one) => wanted.has(one.level)), found.titles, read));
  const filters = [["error", found.errors], ["warning", found.warnings], ["remark", found.remarks]].map(([level, count]) => {
    const button = h(`button.filter.${level}`, { type: "button", "aria-pressed": "true" }, h("b", number(count)), ` ${level}${count === 1 ? "" : "s"}`);
    button.addEventListener("click", () => {
      if (wanted.has(level)) wanted.delete(level); else wanted.add(level);
      button.setAttribute("aria-pressed", String(wanted.has(level)));
      draw();
    });
    return button;
  });
  const told = open.length ? "" : "Nothing to say: this library is well.";
  place.replaceChildren(
    h("h1", "Doctor"),
    h("p.quiet", `${counted(found.skills, "skill")} looked at${found.dismissed ? `, ${counted(found.dismissed, "finding")} dismissed by their owner` : ""}. ${told}`),
    h("div.filters", ...filters),
    list,
    found.total > found.findings.length ? h("p.quiet", `The first ${number(found.findings.length)} of ${number(found.total)}; \`skillret doctor --all\` shows the rest.`) : "",
  );
  draw();
}

function kinds(findings, titles, read) {
  const groups = new Map();
  for (const one of findings) groups.set(one.kind, [...(groups.get(one.kind) ?? []), one]);
  return [...groups].map(([kind, members]) => {
    const worst = ["error", "warning", "remark"].find((level) => members.some((one) => one.level === level));
    const shown = h("ul");
    const rest = members.slice(SHOWN);
    shown.append(...members.slice(0, SHOWN).map((one) => item(one, read)));
    const section = h(`section.kind.${worst}`, h("h2", capital(titles[kind] ?? kind), h("span.quiet", ` ${number(members.length)}`)), shown);
    if (rest.length) {
      const more = h("button.text", { type: "button" }, `Show ${number(rest.length)} more`);
      more.addEventListener("click", () => { shown.append(...rest.map((one) => item(one, read))); more.remove(); });
      section.append(more);
    }
    const remedies = new Set(members.map((one) => one.remedy).filter(Boolean));
    for (const remedy of [...remedies].slice(0, REMEDIES)) section.append(h("p.remedy", capital(remedy)));
    return section;
  });
}

function item(one, read) {
  const where = one.path ? `${one.path}${one.line ? `:${one.line}` : ""}` : "";
  return h("li", { class: one.level },
    one.skill ? h("button.link", { type: "button", onclick: () => read(one.skill) }, one.skill) : null,
    h("span.message", one.message),
    where ? h("span.path", where) : null);
}
