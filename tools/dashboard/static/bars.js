// Tables whose numbers have a bar behind them: the chart is its own data table.
"use strict";

(globalThis.weblog ??= {}).bars = (() => {
  const { element, name } = weblog.dom;

  const bar = (parts, largest) => {
    const track = element("span", { class: "bar", "aria-hidden": "true" });
    for (const [kind, value] of parts) {
      if (value > 0) {
        const piece = element("span", { class: `fill ${kind}` });
        piece.style.setProperty("width", `${largest ? (100 * value) / largest : 0}%`);
        track.append(piece);
      }
    }
    return track;
  };

  /**
   * A table of names with a bar each.
   * columns: [{ text, of: row => text }]; parts: row => [[class, number], ...], drawn in one bar.
   * key: row => what data-key of the row shall be, for highlighting.
   */
  const barTable = ({ label, first, rows, columns, parts, key, missing, tall }) => {
    const sums = rows.map((row) => parts(row).reduce((sum, [, value]) => sum + value, 0));
    const largest = Math.max(0, ...sums);
    const head = element("tr", null,
      element("th", { scope: "col" }, first),
      element("td", { class: "bar-cell", "aria-hidden": "true" }),
      columns.map((column) => element("th", { scope: "col", class: "number" }, column.text)));
    const lines = rows.map((row) =>
      element("tr", { "data-key": key ? key(row) : null },
        element("th", { scope: "row", class: "name" }, name(row.name, missing)),
        element("td", { class: "bar-cell", "aria-hidden": "true" }, bar(parts(row), largest)),
        columns.map((column) => element("td", { class: "number" }, column.of(row)))));
    return element(
      "div",
      { class: `scroll ${tall ? "tall" : ""}`, tabindex: "0", role: "region", "aria-label": label },
      element("table", { class: "bars" },
        element("caption", { class: "visually-hidden" }, label),
        element("thead", null, head),
        element("tbody", null, lines)),
    );
  };

  return { barTable };
})();
