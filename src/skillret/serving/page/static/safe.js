// Rendered Markdown from the server. It is safe already; here it is made sure of a second time:
// only known elements and attributes are taken over, one by one, into the page.
import { h } from "/page/dom.js";

const TAGS = new Set(
  "a p h1 h2 h3 h4 h5 h6 ul ol li blockquote pre code em strong s hr br table thead tbody tr th td span"
    .split(" "),
);
const CLASSES = new Set(["nowhere", "picture", "to-left", "to-center", "to-right"]);
const policy = window.trustedTypes?.createPolicy("skillret", { createHTML: (text) => text });

/** The nodes of an HTML text; nothing in it has run or been loaded. */
export function safe(html) {
  const text = policy ? policy.createHTML(html) : html;
  const inert = new DOMParser().parseFromString(text, "text/html");
  return [...inert.body.childNodes].map(copied);
}

function copied(node) {
  if (node.nodeType === Node.TEXT_NODE) return node.data;
  const tag = node.nodeName.toLowerCase();
  if (node.nodeType !== Node.ELEMENT_NODE || !TAGS.has(tag)) return node.textContent ?? "";
  const element = h(tag);
  if (CLASSES.has(node.className)) element.className = node.className;
  if (tag === "a" && /^https?:\/\//i.test(node.getAttribute("href") ?? "")) {
    element.href = node.getAttribute("href");
    element.rel = "noopener noreferrer nofollow";
    element.target = "_blank";
  }
  element.append(...[...node.childNodes].map(copied));
  return element;
}
