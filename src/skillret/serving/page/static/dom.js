// Elements made of text that anyone may have written: it only ever becomes text.

export const $ = (id) => document.getElementById(id);

/** An element: `h("p.quiet", {title: "x"}, "text", child)`; null children are left out. */
export function h(what, ...rest) {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  const first = rest[0];
  const options = first && first.constructor === Object ? rest.shift() : {};
  for (const [name, value] of Object.entries(options)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...rest.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const number = (value) => Number(value).toLocaleString("en-US");
export const counted = (value, noun) => `${number(value)} ${noun}${value === 1 ? "" : "s"}`;

/** A probability or a score, short. */
export function score(value) {
  if (value === null || value === undefined) return "–";
  if (value > 0 && value < 0.001) return "<.001";
  if (value >= 0.995) return value >= 1.5 ? value.toFixed(1) : value.toFixed(2);
  return value < 0.095 ? value.toFixed(3).replace(/^0/, "") : value.toFixed(2).replace(/^0/, "");
}

/** Text with some of its words marked. */
export function marked(text, words) {
  const wanted = [...new Set(words)].filter((w) => w.length > 1).sort((a, b) => b.length - a.length);
  if (!wanted.length) return [text];
  const plain = wanted.map((w) => w.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const parts = text.split(new RegExp(`(?<![\\p{L}\\p{N}])(${plain.join("|")})`, "giu"));
  return parts.map((part, i) => (i % 2 ? h("mark", part) : part));
}
