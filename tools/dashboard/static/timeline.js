// Charts over time, drawn by uPlot. Each can be read with the arrow keys, says the value under
// the cursor as text, and has its numbers as a table.
"use strict";

(globalThis.weblog ??= {}).timeline = (() => {
  const { element, setText, replace, table } = weblog.dom;
  const HEIGHT = 220;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const hatch = (name) => {
    // Lines, so that the part can be told without its colour.
    const tile = document.createElement("canvas");
    tile.width = tile.height = 6;
    const pen = tile.getContext("2d");
    pen.fillStyle = colour(name);
    pen.fillRect(0, 0, 6, 6);
    pen.strokeStyle = colour("--card");
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.moveTo(0, 6);
    pen.lineTo(6, 0);
    pen.stroke();
    return pen.createPattern(tile, "repeat");
  };

  /**
   * A chart in `parent`.
   * options.series: [{ label, colour, kind: "bars" | "line", hatched, text: value => text }]
   * options.axis: value => text; options.when: (x, step) => text; options.label: of the chart.
   */
  class Timeline {
    constructor(parent, options) {
      this.options = options;
      this.data = null;
      this.position = null;
      this.readout = element("p", { class: "readout", id: `${options.id}-readout` });
      this.canvas = element("div", { class: "plot", "aria-hidden": "true" });
      this.frame = element("div", {
        class: "chart",
        tabindex: "0",
        role: "slider",
        "aria-label": `${options.label}. Use the arrow keys to read it.`,
        "aria-valuemin": "0",
      }, this.canvas);
      this.rows = element("div");
      this.details = element("details", { class: "data" },
        element("summary", null, "Data as a table"), this.rows);
      parent.replaceChildren(this.legend(), this.frame, this.readout, this.details);
      this.details.addEventListener("toggle", () => this.fillTable());
      this.frame.addEventListener("keydown", (event) => this.key(event));
      new ResizeObserver(() => this.resize()).observe(this.frame);
      const dark = matchMedia("(prefers-color-scheme: dark)");
      dark.addEventListener("change", () => this.draw());
    }

    legend() {
      return element("ul", { class: "legend" }, this.options.series.map((series) =>
        element("li", null,
          element("span", { class: `key ${series.name} ${series.kind}`, "aria-hidden": "true" }),
          series.label)));
    }

    update(data, step) {
      const key = JSON.stringify(data);
      if (key === this.known) return;
      const follows = this.position === null || this.position === this.data[0].length - 1;
      this.known = key;
      this.data = data;
      this.step = step;
      const last = data[0].length - 1;
      if (follows || this.position > last) this.position = last;
      this.frame.setAttribute("aria-valuemax", String(last));
      this.draw();
      this.tell();
      this.fillTable();
    }

    text(index) {
      const when = this.options.when(this.data[0][index], this.step);
      const values = this.options.series.map((series, number) =>
        `${series.short} ${series.text(this.data[number + 1][index])}`);
      return `${when}: ${values.join(", ")}`;
    }

    tell() {
      const text = this.text(this.position);
      setText(this.readout, text);
      this.frame.setAttribute("aria-valuenow", String(this.position));
      this.frame.setAttribute("aria-valuetext", text);
    }

    key(event) {
      if (!this.data || event.ctrlKey || event.altKey || event.metaKey) return;
      const last = this.data[0].length - 1;
      const page = Math.max(1, Math.round(last / 10));
      const moves = {
        ArrowLeft: this.position - 1, ArrowDown: this.position - 1,
        ArrowRight: this.position + 1, ArrowUp: this.position + 1,
        PageDown: this.position - page, PageUp: this.position + page,
        Home: 0, End: last,
      };
      if (!(event.key in moves)) return;
      event.preventDefault();
      this.position = Math.min(last, Math.max(0, moves[event.key]));
      this.showCursor();
      this.tell();
    }

    showCursor() {
      if (!this.plot) return;
      const x = this.plot.valToPos(this.data[0][this.position], "x");
      this.plot.setCursor({ left: x, top: HEIGHT / 3 }, false);
    }

    size() {
      return { width: Math.max(240, Math.floor(this.frame.clientWidth)), height: HEIGHT };
    }

    // From the data, since uPlot makes much room around a single value.
    span() {
      const [times] = this.data;
      const last = times.at(-1);
      return [times[0], this.step ? last + this.step : Math.max(last, times[0] + 1)];
    }

    resize() {
      if (this.plot && this.size().width !== this.plot.width) this.plot.setSize(this.size());
    }

    draw() {
      if (!this.data) return;
      this.plot?.destroy();
      const text = colour("--muted");
      const grid = { stroke: colour("--line"), width: 1 };
      const font = "12px system-ui, sans-serif";
      const axis = { stroke: text, grid, ticks: grid, font };
      const series = this.options.series.map((one) => ({
        label: one.short,
        stroke: colour(`--${one.name}`),
        width: one.kind === "bars" ? 0 : 2,
        fill: one.kind === "bars"
          ? (one.hatched ? hatch(`--${one.name}`) : colour(`--${one.name}`))
          : colour(`--${one.name}-faint`) || null,
        paths: one.kind === "bars" ? uPlot.paths.bars({ size: [0.8, 40], align: 1 }) : null,
        points: { show: one.kind === "line" && this.data[0].length < 150, size: 5 },
        spanGaps: false,
      }));
      const { axisText, ticks, least } = this.options;
      this.plot = new uPlot({
        ...this.size(),
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
        legend: { show: false },
        cursor: {
          drag: { x: false, y: false },
          y: false,
          points: { size: 8 },
          dataIdx: (plot, number, index) => index,
        },
        hooks: {
          setCursor: [(plot) => {
            if (plot.cursor.event && plot.cursor.idx !== null && plot.cursor.idx !== undefined) {
              this.position = plot.cursor.idx;
              this.tell();
            }
          }],
        },
        scales: {
          x: { time: this.options.time, range: () => this.span() },
          y: { range: (plot, low, high) => [0, Math.max(least, (high ?? 0) * 1.08)] },
        },
        axes: [
          { ...axis, values: ticks ?? this.dateTicks, space: 70 },
          { ...axis, size: 58, values: (plot, values) => values.map(axisText) },
        ],
        series: [{}, ...series],
      }, this.data, this.canvas);
    }

    // The day stands once, below the first of its hours.
    dateTicks(plot, values, axisNumber, space, step) {
      let day = null;
      return values.map((value) => {
        const date = weblog.format.date(value).replace(/ \d{4}$/, "");
        if (step >= 86400) return date;
        const text = weblog.format.clock(value, step < 60);
        const first = date !== day;
        day = date;
        return first ? `${text}\n${date}` : text;
      });
    }

    fillTable() {
      if (!this.details.open || !this.data) return;
      const head = [
        { text: this.options.time ? "Start (UTC)" : "Seconds" },
        ...this.options.series.map((series) => ({ text: series.label, number: true })),
      ];
      const rows = this.data[0].map((x, index) => [
        this.options.when(x, this.step),
        ...this.options.series.map((series, number) => series.text(this.data[number + 1][index])),
      ]);
      replace(this.rows, table(`${this.options.label}, as a table`, head, rows, "tall"));
    }
  }

  return { Timeline };
})();
