// One request at a time; every decision is stored before the next one is shown.

const $ = (id) => document.getElementById(id);
let requests = [];
let reviewer = "";
let at = 0;
let shown = null;

/** An element of text that anyone may have written: it only ever becomes text. */
function h(tag, text, ...children) {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  element.append(...children);
  return element;
}

async function call(path, document_) {
  const options = document_ === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(document_),
  };
  const answer = await fetch(path, options);
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error);
  return said;
}

function skill(row) {
  const head = h("h2", row.name);
  const role = h("span", ` (${row.role})`);
  role.className = "role";
  head.append(role);
  const more = h("details", "", h("summary", "instructions"), h("pre", row.instructions));
  return h("li", "", head, h("p", row.description), more);
}

async function show(number) {
  if (!requests.length) return;
  at = Math.min(Math.max(number, 0), requests.length - 1);
  shown = await call(`/requests/${encodeURIComponent(requests[at].id)}`);
  const done = requests.filter((r) => r.decision).length;
  $("count").textContent = `${reviewer}: ${at + 1} of ${requests.length}, ${done} decided`;
  $("facts").textContent = [shown.plan, shown.kind, shown.style, shown.language].filter(Boolean).join(" · ");
  $("query").textContent = shown.query;
  const mine = shown.mine;
  $("mine").textContent = mine ? mine.decision + (mine.query ? `: ${mine.query}` : "") : "not decided yet";
  if (mine) $("mine").dataset.decision = mine.decision; else delete $("mine").dataset.decision;
  $("skills").replaceChildren(...shown.skills.map(skill));
  closeCorrection();
}

function nextOpen() {
  const after = requests.findIndex((r, n) => n > at && !r.decision);
  const any = after >= 0 ? after : requests.findIndex((r) => !r.decision);
  return any >= 0 ? any : at + 1;
}

async function decide(decision, query) {
  const row = { id: shown.id, decision, ...(query === undefined ? {} : { query }) };
  try {
    await call("/decisions", row);
  } catch (error) {
    $("mine").textContent = `not stored: ${error.message}`;
    return;
  }
  requests[at].decision = decision;
  await show(nextOpen());
}

function closeCorrection() {
  $("correction").hidden = true;
  $("text").blur(); // browsers do it at the next frame: a key until then would be typed in there
}

function correct() {
  $("text").value = (shown.mine && shown.mine.query) || shown.query;
  $("correction").hidden = false;
  $("text").focus();
}

$("correction").addEventListener("submit", (event) => {
  event.preventDefault();
  decide("correct", $("text").value);
});
$("cancel").addEventListener("click", closeCorrection);
$("finish").addEventListener("click", async () => {
  await call("/finish", {});
  document.body.replaceChildren(h("p", "Every decision is stored. This page can be closed."));
});

const KEYS = {
  a: () => decide("accept"),
  r: () => decide("reject"),
  e: correct,
  u: () => show(nextOpen()),
  ArrowRight: () => show(at + 1),
  ArrowLeft: () => show(at - 1),
};
document.addEventListener("keydown", (event) => {
  if (event.target === $("text")) {
    if (event.key === "Escape") closeCorrection();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("correction").requestSubmit();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});

const all = await call("/requests");
({ requests, reviewer } = all);
at = -1;
await show(nextOpen());
