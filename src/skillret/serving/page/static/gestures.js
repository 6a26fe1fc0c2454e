// Moving the map: mouse, wheel, fingers and keys.

const STEP = 60;  // pixels that an arrow key moves

export class Gestures {
  #pointers = new Map();
  #moved = 0;

  constructor(canvas, map) {
    this.canvas = canvas;
    this.map = map;
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event, true));
    canvas.addEventListener("pointercancel", (event) => this.#up(event, false));
    canvas.addEventListener("pointerleave", () => map.hover(null));
    canvas.addEventListener("dblclick", (event) => { const [x, y] = this.#at(event); map.zoomBy(2, x, y); });
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #wheel(event) {
    event.preventDefault();
    const pixels = event.deltaY * [1, 30, 300][event.deltaMode];
    const [x, y] = this.#at(event);
    // A pinch on a touchpad arrives as a wheel with the control key, in small steps.
    this.map.zoomBy(Math.exp(-Math.max(-240, Math.min(240, pixels)) * (event.ctrlKey ? 0.01 : 0.0022)), x, y);
    this.map.hover(x, y);
  }

  #down(event) {
    if (event.button) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, this.#at(event));
    if (this.#pointers.size === 1) this.#moved = 0;
    else this.#moved = Infinity;
  }

  #move(event) {
    const now = this.#at(event), before = this.#pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType === "mouse") this.map.hover(...now);
      return;
    }
    const two = [...this.#pointers.values()];
    if (two.length === 1) {
      this.#moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
      if (this.#moved > 4) { this.map.moveBy(now[0] - before[0], now[1] - before[1]); this.map.hover(null); }
    } else {
      const other = [...this.#pointers].find(([id]) => id !== event.pointerId)[1];
      const was = Math.hypot(before[0] - other[0], before[1] - other[1]);
      const is = Math.hypot(now[0] - other[0], now[1] - other[1]);
      const middle = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
      this.map.moveBy((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
      if (was > 1) this.map.zoomBy(is / was, ...middle);
    }
    this.#pointers.set(event.pointerId, now);
  }

  #up(event, pressed) {
    if (!this.#pointers.delete(event.pointerId)) return;
    if (pressed && this.#moved <= 4) this.map.press(...this.#at(event));
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    if (moves[event.key]) this.map.moveBy(...moves[event.key]);
    else if (event.key === "+" || event.key === "=") this.map.zoomBy(1.5);
    else if (event.key === "-") this.map.zoomBy(1 / 1.5);
    else if (event.key === "0") this.map.fit(true);
    else return;
    event.preventDefault();
  }
}
