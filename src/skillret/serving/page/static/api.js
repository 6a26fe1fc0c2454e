// What the server is asked.
import { $ } from "/page/dom.js";

const KEY = "skillret-token";
let asking = null;

/** An answer as JSON. Throws an Error with the server's own sentence. */
export async function ask(path, { body, method, patient = false } = {}) {
  for (;;) {
    const headers = {};
    const token = sessionStorage.getItem(KEY);
    if (token) headers.Authorization = `Bearer ${token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const reply = await fetch(path, {
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-cache",
    }).catch(() => { throw new Error("The server does not answer. Is it still running?"); });
    if (reply.status === 401) {
      await newToken(token ? "That token is not known here." : "This server wants one from everybody.");
      continue;
    }
    const said = await reply.json().catch(() => null);
    if (reply.status === 202 && patient) {
      await new Promise((done) => setTimeout(done, 600));
      continue;
    }
    if (!reply.ok) throw new Error(said?.error ?? `The server answers ${reply.status}.`);
    return said;
  }
}

function newToken(why) {
  asking ??= new Promise((done) => {
    const dialog = $("token");
    $("token-why").textContent = `${why} It is kept in this tab alone.`;
    $("token-text").value = "";
    dialog.addEventListener("close", () => {
      sessionStorage.setItem(KEY, $("token-text").value.trim());
      asking = null;
      done();
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}

/** Asks for one thing at a time; what is asked meanwhile replaces what waits. */
export class Latest {
  #busy = false;
  #next = null;

  constructor(work, done, failed) {
    Object.assign(this, { work, done, failed });
  }

  ask(what) {
    this.#next = { what };
    if (!this.#busy) this.#run();
  }

  async #run() {
    this.#busy = true;
    while (this.#next) {
      const { what } = this.#next;
      this.#next = null;
      try {
        this.done(what, await this.work(what));
      } catch (e) {
        this.failed(what, e);
      }
    }
    this.#busy = false;
  }
}
