// Steps from page to page as a heat map, which is a table: each number in the shade of its size.
"use strict";

(globalThis.weblog ??= {}).flow = (() => {
  const { element, name } = weblog.dom;
  const { limitsOf } = weblog.map;
  const { count } = weblog.format;
  const NO_PAGE = "(no page)";

  const flowMap = ({ origins, targets, matrix }) => {
    const label = "Requests from page to page";
    const limits = limitsOf(Math.max(...matrix.flat()));
    const shade = (number) => limits.findLastIndex((limit) => number >= limit) + 1;
    const cell = (number) =>
      element("td", { class: "number", "data-shade": shade(number) || null }, number ? count(number) : "");
    return element(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
      element("table", { class: "heat" },
        element("caption", { class: "visually-hidden" },
          `${label}: a row for each page with the link, a column for each page that was asked for`),
        element("thead", null, element("tr", null,
          element("td", null, "from ↓ to →"),
          targets.map((page) =>
            element("th", { scope: "col" }, element("span", null, name(page, NO_PAGE)))))),
        element("tbody", null, origins.map((page, index) =>
          element("tr", null,
            element("th", { scope: "row" }, name(page, NO_PAGE)),
            matrix[index].map(cell))))),
    );
  };

  return { flowMap, NO_PAGE };
})();
