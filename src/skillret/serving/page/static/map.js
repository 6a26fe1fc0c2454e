// The map: every skill a point. It moves, and what was found is lit.
import { ask } from "/page/api.js";
import { $, counted, number } from "/page/dom.js";
import { Gestures } from "/page/gestures.js";
import { Labels } from "/page/labels.js";

const CELLS = 96;  // of the grid by which a point is found, along a side
const MOST_ZOOM = 160;
const GROUPS = 10;
const FAINT = 0.005;  // of the best hit's score: below that it is no light

export class SkillMap {
  inset = 0;  // pixels at the right that the reader covers
  #view = { x: 0, y: 0, zoom: 1 };
  #drawn = null;
  #places = new Map();
  #found = null;
  #lit = new Map();
  #hover = -1;
  #point = -1;
  #flight = null;
  #frame = 0;
  #touched = false;
  #byRoot = false;

  constructor(canvas, tell) {
    this.canvas = canvas;
    this.tell = tell;
    this.pen = canvas.getContext("2d");
    this.labels = new Labels(this.pen);
    new Gestures(canvas, this);
    new ResizeObserver(() => this.resize()).observe(canvas.parentElement);
    $("closer").addEventListener("click", () => this.zoomBy(1.8));
    $("farther").addEventListener("click", () => this.zoomBy(1 / 1.8));
    $("whole").addEventListener("click", () => this.fit(true));
    $("tohits").addEventListener("click", () => this.toHits());
    $("colour").addEventListener("click", () => { this.#byRoot = !this.#byRoot; this.#buckets(); this.#note(); this.draw(); });
    this.recolour();
  }

  clear() {
    this.#drawn = null;
    this.#places.clear();
    $("mapnote").textContent = "Laying out the map …";
    this.draw();
  }

  async load(library) {
    const drawn = await ask(`/v1/map?library=${encodeURIComponent(library)}`, { patient: true });
    const n = drawn.ids.length;
    drawn.px = Float32Array.from(drawn.x, (x) => x / drawn.unit);
    drawn.py = Float32Array.from(drawn.y, (y) => y / drawn.unit);
    drawn.labels = drawn.labels.map((label) => ({ ...label, x: label.x / drawn.unit, y: label.y / drawn.unit }));
    drawn.groupOf = (label) => drawn.groups[nearest(drawn, label.x, label.y)] ?? 0;
    this.#places = new Map(drawn.ids.map((id, i) => [id, i]));
    this.#drawn = drawn;
    drawn.half = [Math.max(0.05, ...bounds(drawn.px)), Math.max(0.05, ...bounds(drawn.py))];
    drawn.grid = gridOf(drawn);
    drawn.rank = shuffled(n);
    this.#buckets();
    this.#note();
    this.#relight();
    this.#touched = false;
    this.fit();
    return drawn;
  }

  #note() {
    const { ids, roots, groups } = this.#drawn;
    const many = roots.length > 1;
    $("colour").hidden = !many;
    $("colour").textContent = this.#byRoot ? "Coloured by folder" : "Coloured by group";
    const count = this.#byRoot ? counted(roots.length, "folder") : counted(groups.reduce((a, b) => Math.max(a, b), 0) + 1, "group");
    $("mapnote").textContent = ids.length ? `${counted(ids.length, "skill")} in ${count}` : "This library is empty.";
  }

  /** Points by their colour, so that each colour is one path. */
  #buckets() {
    const { ids, groups, root } = this.#drawn;
    const kinds = this.#byRoot ? root : groups;
    this.stamp = (this.stamp ?? 0) + 1;  // what was painted of others is of no use any more
    this.buckets = Array.from({ length: GROUPS }, () => []);
    for (let i = 0; i < ids.length; i++) this.buckets[Math.abs(kinds[i]) % GROUPS].push(i);
  }

  recolour() {
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(name).trim();
    this.stamp = (this.stamp ?? 0) + 1;
    this.colours = {
      ground: read("--map"), ink: read("--ink"), quiet: read("--quiet"), accent: read("--accent"), glow: read("--glow"),
      groups: Array.from({ length: GROUPS }, (_, i) => read(`--group-${i}`)),
    };
    this.draw();
  }

  resize() {
    const { clientWidth: w, clientHeight: t } = this.canvas.parentElement;
    if (!w || !t) return;
    const dense = Math.min(devicePixelRatio || 1, 2.5);
    this.size = { w, t, dense };
    this.canvas.width = Math.round(w * dense);
    this.canvas.height = Math.round(t * dense);
    if (!this.#touched) this.fit();
    this.draw();
  }

  // --- where things are ------------------------------------------------------------------

  get scale() {
    if (!this.size || !this.#drawn) return 1;
    const { w, t } = this.size;
    const [a, b] = this.#drawn.half;
    return Math.max(20, Math.min((w - this.inset - 70) / (2 * a), (t - 90) / (2 * b))) * this.#view.zoom;
  }

  get middle() { return { x: (this.size.w - this.inset) / 2, y: this.size.t / 2 }; }

  at(place) {
    const { scale, middle } = this;
    return [middle.x + (this.#drawn.px[place] - this.#view.x) * scale, middle.y + (this.#drawn.py[place] - this.#view.y) * scale];
  }

  under(x, y) {
    if (!this.#drawn) return -1;
    const { scale, middle } = this;
    const wx = this.#view.x + (x - middle.x) / scale, wy = this.#view.y + (y - middle.y) / scale;
    for (const place of this.#lit.keys()) {
      const [px, py] = this.at(place);
      if (Math.hypot(px - x, py - y) < 12) return place;
    }
    return this.#drawn.grid.nearest(wx, wy, 12 / scale);
  }

  // --- moving ----------------------------------------------------------------------------

  moveBy(dx, dy) {
    this.#flight = null;
    this.#touched = true;
    this.#view.x -= dx / this.scale;
    this.#view.y -= dy / this.scale;
    this.#keepIn();
    this.draw();
  }

  zoomBy(factor, x = this.middle.x, y = this.middle.y) {
    if (!this.#drawn) return;
    this.#flight = null;
    this.#touched = true;
    const before = this.scale;
    this.#view.zoom = Math.min(MOST_ZOOM, Math.max(0.7, this.#view.zoom * factor));
    const { scale, middle } = this;
    this.#view.x += (x - middle.x) * (1 / before - 1 / scale);
    this.#view.y += (y - middle.y) * (1 / before - 1 / scale);
    this.#keepIn();
    this.draw();
  }

  #keepIn() {
    this.#view.x = Math.max(-1.2, Math.min(1.2, this.#view.x));
    this.#view.y = Math.max(-1.2, Math.min(1.2, this.#view.y));
  }

  fit(slowly = false) {
    this.#touched = false;
    if (slowly) this.fly(0, 0, 1);
    else { this.#view = { x: 0, y: 0, zoom: 1 }; this.draw(); }
  }

  fly(x, y, zoom) {
    const from = { ...this.#view }, to = { x, y, zoom };
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) { this.#view = to; return this.draw(); }
    this.#flight = { from, to, start: performance.now(), time: 420 };
    this.draw();
  }

  #fly(now) {
    if (!this.#flight) return;
    const { from, to, start, time } = this.#flight;
    const part = Math.min(1, (now - start) / time);
    const eased = 1 - (1 - part) ** 3;
    const zoom = Math.exp(Math.log(from.zoom) + (Math.log(to.zoom) - Math.log(from.zoom)) * eased);
    this.#view = { x: from.x + (to.x - from.x) * eased, y: from.y + (to.y - from.y) * eased, zoom };
    if (part < 1) this.draw(); else this.#flight = null;
  }

  toHits() {
    const places = [...this.#lit.keys()].slice(0, 12);
    if (!places.length) return;
    const xs = places.map((i) => this.#drawn.px[i]), ys = places.map((i) => this.#drawn.py[i]);
    const [left, right, top, low] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const unit = this.scale / this.#view.zoom;
    const room = Math.min((this.size.w - this.inset - 160) / Math.max(right - left, 0.02), (this.size.t - 160) / Math.max(low - top, 0.02));
    this.#touched = true;
    this.fly((left + right) / 2, (top + low) / 2, Math.min(24, Math.max(1, room / unit)));
  }

  // --- what is told ----------------------------------------------------------------------

  light(found) {
    this.#found = found;
    this.#relight();
    $("tohits").hidden = !this.#lit.size;
    this.draw();
  }

  #relight() {
    this.#lit.clear();
    if (!this.#found || !this.#drawn) return;
    const best = Math.max(1e-9, ...this.#found.near.map((hit) => hit.score));
    for (const [selected, hits] of [[true, this.#found.hits], [false, this.#found.near]]) {
      for (const hit of hits) {
        const place = this.#places.get(hit.id);
        const strength = Math.min(1, hit.score / best);
        if (place === undefined || this.#lit.has(place) || (!selected && strength < FAINT)) continue;
        this.#lit.set(place, { selected, strength });
      }
    }
  }

  /** Point out a skill, and bring it into view. */
  point(id, { keep = false } = {}) {
    this.#point = this.#places.get(id) ?? -1;
    if (this.#point >= 0 && this.size && !keep) {
      const [x, y] = this.at(this.#point);
      const { w, t } = this.size;
      if (x < 30 || y < 30 || x > w - this.inset - 30 || y > t - 30) {
        this.fly(this.#drawn.px[this.#point], this.#drawn.py[this.#point], this.#view.zoom);
      }
    }
    this.draw();
  }

  hover(x, y) {
    const place = x === null ? -1 : this.under(x, y);
    const tip = $("tip");
    this.canvas.style.cursor = place >= 0 ? "pointer" : "";
    if (place !== this.#hover) {
      this.#hover = place;
      this.draw();
    }
    tip.hidden = place < 0;
    if (place < 0) return;
    const [px, py] = this.at(place);
    tip.textContent = this.#drawn.names[place];
    tip.style.left = `${Math.min(px, this.size.w - 20)}px`;
    tip.style.top = `${py}px`;
  }

  press(x, y) {
    const place = this.under(x, y);
    if (place >= 0) this.tell.open(this.#drawn.ids[place]);
  }

  // --- drawing ---------------------------------------------------------------------------

  draw() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame((now) => { this.#frame = 0; this.#fly(now); this.#paint(); });
  }

  #paint() {
    if (!this.size) return;
    const { pen, colours } = this, { w, t, dense } = this.size;
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.fillStyle = colours.ground;
    pen.fillRect(0, 0, w, t);
    const drawn = this.#drawn;
    if (!drawn || !drawn.ids.length) return;
    const { scale, middle } = this;
    const ox = middle.x - this.#view.x * scale, oy = middle.y - this.#view.y * scale;
    const crowd = Math.sqrt((w * t) / drawn.ids.length);
    const size = Math.max(1.1, Math.min(6.5, crowd * 0.11 * Math.sqrt(this.#view.zoom)));
    const asked = this.#lit.size > 0;
    pen.globalAlpha = asked ? 0.36 : 0.9;
    pen.drawImage(this.#ground(ox, oy, size), 0, 0, w, t);
    pen.globalAlpha = 1;
    this.#paintLit(size);
    for (const place of [this.#point, this.#hover]) {
      if (place < 0) continue;
      const [x, y] = this.at(place);
      pen.beginPath();
      pen.arc(x, y, size + 5, 0, 7);
      pen.lineWidth = 1.5;
      pen.strokeStyle = place === this.#point ? colours.accent : colours.quiet;
      pen.stroke();
    }
    this.labels.paint({
      drawn, view: this.#view, size, asked, colours, ox, oy, scale, w: w - this.inset, t,
      lit: this.#lit, hover: this.#hover, point: this.#point, unit: scale / this.#view.zoom,
    });
  }

  /** All points, painted anew only where the view has changed: not for each key that is typed. */
  #ground(ox, oy, size) {
    const { w, t, dense } = this.size, { scale } = this, { px, py } = this.#drawn;
    const now = [ox, oy, scale, size, w, t, dense, this.stamp].join();
    if (this.ground?.key === now) return this.ground.layer;
    const layer = this.ground?.layer ?? document.createElement("canvas");
    layer.width = this.canvas.width;
    layer.height = this.canvas.height;
    const pen = layer.getContext("2d");
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    this.buckets.forEach((bucket, kind) => {
      pen.fillStyle = this.colours.groups[kind];
      if (size > 1.5) pen.beginPath();
      for (const i of bucket) {
        const x = ox + px[i] * scale, y = oy + py[i] * scale;
        if (x < -9 || y < -9 || x > w + 9 || y > t + 9) continue;
        if (size > 1.5) { pen.moveTo(x + size, y); pen.arc(x, y, size, 0, 7); } else pen.fillRect(x - size, y - size, 2 * size, 2 * size);
      }
      if (size > 1.5) pen.fill();
    });
    this.ground = { key: now, layer };
    return layer;
  }

  #paintLit(size) {
    const { pen, colours } = this;
    for (const [place, { selected, strength }] of [...this.#lit].reverse()) {
      const [x, y] = this.at(place);
      const radius = Math.max(size, 2.5) + 3.5 * strength;
      const reach = radius * (selected ? 5 : 3.2);
      const glow = pen.createRadialGradient(x, y, radius * 0.5, x, y, reach);
      glow.addColorStop(0, colours.glow);
      glow.addColorStop(1, `${colours.glow}00`);  // its own colour: "transparent" is black
      pen.beginPath();
      pen.arc(x, y, reach, 0, 7);
      pen.fillStyle = glow;
      pen.globalAlpha = (selected ? 0.75 : 0.4) * (0.4 + 0.6 * strength);
      pen.fill();
      pen.globalAlpha = selected ? 1 : 0.45 + 0.4 * strength;
      pen.beginPath();
      pen.arc(x, y, selected ? radius : Math.max(2.2, radius * 0.7), 0, 7);
      pen.fillStyle = colours.accent;
      pen.fill();
      pen.globalAlpha = 1;
      if (selected) {
        pen.lineWidth = 2;
        pen.strokeStyle = colours.ground;
        pen.stroke();
      }
    }
  }
}

function bounds(values) {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return [most];
}

function nearest(drawn, x, y) {
  let best = 0, least = Infinity;
  for (let i = 0; i < drawn.px.length; i++) {
    const apart = (drawn.px[i] - x) ** 2 + (drawn.py[i] - y) ** 2;
    if (apart < least) { least = apart; best = i; }
  }
  return best;
}

/** Places in an order that is the same each time and mixes near and far. */
function shuffled(n) {
  const key = (i) => Math.imul(i + 1, 2654435761) >>> 0;
  return Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => key(a) - key(b));
}

/** A grid over the points, which finds the nearest one. */
function gridOf({ px, py }) {
  const cells = Array.from({ length: CELLS * CELLS }, () => []);
  const cell = (value) => Math.max(0, Math.min(CELLS - 1, Math.floor(((value + 1) / 2) * CELLS)));
  for (let i = 0; i < px.length; i++) cells[cell(px[i]) * CELLS + cell(py[i])].push(i);
  return {
    nearest(x, y, reach) {
      let best = -1, least = reach * reach;
      for (let a = cell(x - reach); a <= cell(x + reach); a++) {
        for (let b = cell(y - reach); b <= cell(y + reach); b++) {
          for (const i of cells[a * CELLS + b]) {
            const apart = (px[i] - x) ** 2 + (py[i] - y) ** 2;
            if (apart < least) { least = apart; best = i; }
          }
        }
      }
      return best;
    },
  };
}
