// Names on the map that do not collide: of groups from afar, of skills from near.

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
const NARROW = 600;  // pixels of a map on which labels are smaller
const SMALL = `600 13px ${FONT}`;
const STYLES = [`600 15px ${FONT}`, `500 12.5px ${FONT}`, `500 11.5px ${FONT}`];
const NAME = `400 11px ${FONT}`;
const HIT = `600 12px ${FONT}`;
const MOST_NAMES = 160;
// From which width of the map on, in pixels, labels of a level are shown, and up to which.
const SPANS = [[0, 2200], [1050, 5000], [2400, 13000]];
const CELL = 48;
const FEW = 400;  // skills of a map on which no name may lie over a point

/** Above a group. */
function above({ drawn, ox, oy, scale, size }, label) {
  label.members ??= drawn.ids.map((_, i) => i).filter((i) => drawn.groups[i] === drawn.groupOf(label));
  const xs = label.members.map((i) => drawn.px[i]);
  const top = Math.min(...label.members.map((i) => drawn.py[i]));
  return [ox + (Math.min(...xs) + Math.max(...xs)) / 2 * scale, oy + top * scale - size - 20];
}

export class Labels {
  constructor(pen) {
    this.pen = pen;
    this.widths = new Map();
  }

  paint(scene) {
    this.taken = new Map();
    const { pen } = this;
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    if (scene.drawn.ids.length < FEW) this.#points(scene);
    this.#hits(scene);
    const wide = 2 * scene.scale;
    const few = scene.drawn.ids.length < FEW;
    for (const label of scene.drawn.labels) {
      const [from, to] = few && label.level === 0 ? [0, 1e9] : SPANS[label.level];
      if (wide < from || wide > to) continue;
      let x = scene.ox + label.x * scene.scale, y = scene.oy + label.y * scene.scale;
      if (few) [x, y] = above(scene, label);  // where each point has its name, none is written over
      this.#put(scene, label.text, x, y, label.level || scene.w > NARROW ? STYLES[label.level] : SMALL, { centre: true, colour: scene.colours.ink, alpha: (scene.asked ? 0.4 : [0.95, 0.85, 0.75][label.level]), loose: [14, 9, 6][label.level] });
    }
    this.#names(scene);
  }

  #points({ drawn, ox, oy, scale, size }) {
    for (let i = 0; i < drawn.ids.length; i++) {
      const x = ox + drawn.px[i] * scale, y = oy + drawn.py[i] * scale, r = Math.min(size, 4);
      const box = [x - r, y - r, x + r, y + r];
      const cell = Math.floor(x / CELL) * 4096 + Math.floor(y / CELL);
      if (this.taken.has(cell)) this.taken.get(cell).push(box);
      else this.taken.set(cell, [box]);
    }
  }

  #hits(scene) {
    const { drawn, lit, hover, point, colours } = scene;
    const wanted = [...lit].map(([place, { selected }]) => [place, selected]);
    if (point >= 0 && !lit.has(point)) wanted.unshift([point, true]);
    let placed = 0;
    for (const [place, selected] of wanted) {
      if (place === hover) continue;  // the tip says it
      if (!selected && placed >= 12) break;
      const done = this.#beside(scene, place, HIT, { colour: selected ? colours.accent : colours.ink, alpha: selected ? 1 : 0.75 });
      placed += done;
    }
  }

  /** Names of skills, as many as find room: always the same ones first. */
  #names(scene) {
    const { drawn, w, t, ox, oy, scale, asked } = scene;
    const n = drawn.ids.length;
    const visible = n * Math.min(1, (w * t) / (4 * drawn.half[0] * drawn.half[1] * scale * scale));
    if (visible > 900) return;
    let placed = 0;
    for (const i of drawn.rank) {
      const x = ox + drawn.px[i] * scale, y = oy + drawn.py[i] * scale;
      if (x < 0 || y < 0 || x > w || y > t || scene.lit.has(i)) continue;
      placed += this.#beside(scene, i, NAME, { colour: scene.colours.ink, alpha: asked ? 0.3 : 0.72 });
      if (placed >= MOST_NAMES) return;
    }
  }

  #beside(scene, place, font, style) {
    const { drawn, ox, oy, scale, size } = scene;
    const x = ox + drawn.px[place] * scale, y = oy + drawn.py[place] * scale;
    const gap = Math.max(size, 3) + 5 + (font === HIT ? 4 : 0);
    const name = drawn.names[place];
    const width = this.#width(name, font), far = gap + 8;
    return this.#put(scene, name, x + gap, y, font, style) || this.#put(scene, name, x - gap - width, y, font, style)
      || this.#put(scene, name, x - width / 2, y + far, font, style) || this.#put(scene, name, x - width / 2, y - far, font, style);
  }

  #width(text, font) {
    const key = font + text;
    let width = this.widths.get(key);
    if (width === undefined) {
      this.pen.font = font;
      width = this.pen.measureText(text).width;
      if (this.widths.size > 20000) this.widths.clear();
      this.widths.set(key, width);
    }
    return width;
  }

  #put({ colours, w, t }, text, x, y, font, { centre = false, colour, alpha, loose = 3 }) {
    const width = this.#width(text, font), tall = 15;
    const left = centre ? x - width / 2 : x;
    if (left < 4 || left + width > w - 4 || y < 10 || y > t - 10) return false;
    const box = [left - loose, y - tall / 2 - loose / 2, left + width + loose, y + tall / 2 + loose / 2];
    if (!this.#free(box)) return false;
    const { pen } = this;
    pen.font = font;
    pen.globalAlpha = Math.min(1, alpha + 0.1);
    pen.lineWidth = 3.5;
    pen.strokeStyle = colours.ground;
    pen.strokeText(text, left, y);
    pen.globalAlpha = alpha;
    pen.fillStyle = colour;
    pen.fillText(text, left, y);
    pen.globalAlpha = 1;
    return true;
  }

  /** Whether nothing stands in a box; from then on it does. */
  #free(box) {
    const cells = [];
    for (let a = Math.floor(box[0] / CELL); a <= Math.floor(box[2] / CELL); a++) {
      for (let b = Math.floor(box[1] / CELL); b <= Math.floor(box[3] / CELL); b++) {
        const cell = a * 4096 + b;
        for (const other of this.taken.get(cell) ?? []) {
          if (box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1]) return false;
        }
        cells.push(cell);
      }
    }
    for (const cell of cells) {
      if (this.taken.has(cell)) this.taken.get(cell).push(box);
      else this.taken.set(cell, [box]);
    }
    return true;
  }
}
