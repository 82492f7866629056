// The world, each country in the shade of its traffic. The table beside it has the same numbers.
"use strict";

(globalThis.weblog ??= {}).map = (() => {
  const { element, svg, setText } = weblog.dom;
  const { count, bytes } = weblog.format;
  const SHADES = 5;

  // Round limits, each several times the one before: traffic differs by orders of magnitude.
  const limitsOf = (largest) => {
    if (largest <= SHADES) return [1, 2, 3, 4, 5].slice(0, Math.max(1, largest));
    const factor = largest ** (1 / SHADES);
    const limits = [1];
    for (let index = 1; index < SHADES; index += 1) {
      const exact = factor ** index;
      const power = 10 ** Math.floor(Math.log10(exact));
      const round = [1, 2, 5, 10].map((digit) => digit * power)
        .reduce((best, one) => (Math.abs(one - exact) < Math.abs(best - exact) ? one : best));
      if (round > limits.at(-1) && round < largest) limits.push(round);
    }
    return limits;
  };

  class WorldMap {
    constructor(parent) {
      const { width, height, shapes, dots } = weblog.world;
      this.places = new Map();
      this.titles = new Map();
      const add = (code, node) => {
        const title = svg("title");
        node.append(title);
        if (code) {
          this.places.set(code, node);
          this.titles.set(code, title);
          node.dataset.code = code;
        }
        return node;
      };
      this.drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", class: "world" },
        shapes.map(({ code, path }) => add(code, svg("path", { d: path, class: "land" }))),
        dots.map(({ code, x, y }) => add(code, svg("circle", { cx: x, cy: y, r: 3, class: "dot" }))));
      this.readout = element("p", { class: "readout" });
      this.legend = element("ul", { class: "legend shades" });
      parent.replaceChildren(this.drawing, this.legend, this.readout);
      this.drawing.addEventListener("pointerover", (event) => this.point(event.target.dataset?.code));
      this.drawing.addEventListener("pointerleave", () => this.point(null));
    }

    update(rows, measure) {
      const text = measure === "requests" ? (number) => weblog.format.plural(number, "request", "requests") : bytes;
      const largest = Math.max(0, ...rows.filter((row) => row.code).map((row) => row[measure]));
      const limits = limitsOf(largest);
      const shade = (number) => limits.findLastIndex((limit) => number >= limit) + 1;
      this.rows = new Map(rows.filter((row) => row.code).map((row) => [row.code, row]));
      this.text = text;
      for (const [code, node] of this.places) {
        const row = this.rows.get(code);
        const level = row ? shade(row[measure]) : 0;
        if (node.dataset.shade !== String(level)) node.dataset.shade = String(level);
        setText(this.titles.get(code), row ? `${row.name}: ${text(row[measure])}` : "");
      }
      this.measure = measure;
      const ranges = limits.map((limit, index) => {
        const next = limits[index + 1];
        const [low, high] = measure === "requests" ? [count(limit), next ? count(next - 1) : null]
          : [bytes(limit), next ? bytes(next) : null];
        const words = high === null ? `${low} and more` : low === high ? low : `${low} to ${high}`;
        return element("li", null,
          element("span", { class: "key shade", "data-shade": index + 1, "aria-hidden": "true" }), words);
      });
      weblog.dom.replace(this.legend, largest ? ranges : []);
      const top = rows.filter((row) => row.code && row[measure] > 0)
        .sort((a, b) => b[measure] - a[measure]).slice(0, 3);
      this.drawing.setAttribute("aria-label", top.length
        ? `World map; most traffic from ${top.map((row) => `${row.name} (${text(row[measure])})`).join(", ")}. `
          + "The table beside it has all numbers."
        : "World map without traffic");
      this.point(null);
    }

    point(code) {
      const row = code ? this.rows?.get(code) : null;
      setText(this.readout, row ? `${row.name}: ${this.text(row[this.measure])}`
        : "Point at a country, or read the table.");
    }

    highlight(code) {
      this.marked?.classList.remove("marked");
      this.marked = code ? this.places.get(code) : null;
      if (this.marked) {
        this.marked.classList.add("marked");
        this.marked.parentNode.append(this.marked);
        this.point(code);
      }
    }
  }

  return { WorldMap, limitsOf };
})();
