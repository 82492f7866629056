// Makes elements. What comes from a log is only ever given as text, never as markup.
"use strict";

(globalThis.weblog ??= {}).dom = (() => {
  const SVG = "http://www.w3.org/2000/svg";

  const fill = (node, attributes, children) => {
    for (const [name, value] of Object.entries(attributes ?? {})) {
      if (value !== null && value !== undefined && value !== false) {
        node.setAttribute(name, value === true ? "" : String(value));
      }
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return node;
  };

  /** An HTML element. Children are elements or text; attributes are the page's own words. */
  const element = (tag, attributes, ...children) =>
    fill(document.createElement(tag), attributes, children);

  const svg = (tag, attributes, ...children) =>
    fill(document.createElementNS(SVG, tag), attributes, children);

  /**
   * Makes what a node holds equal to the children. Elements that stay what they are are kept:
   * what the reader has focused, scrolled or selected there stays as it is too.
   */
  const replace = (node, ...children) => {
    const fresh = children.flat().filter((child) => child !== null && child !== undefined);
    fresh.forEach((child, index) => {
      const former = node.childNodes[index];
      if (!former) node.append(child);
      else if (!former.isEqualNode(child)) {
        if (sameTag(former, child)) replace(former, ...child.childNodes);
        else former.replaceWith(child);
      }
    });
    while (node.childNodes.length > fresh.length) node.lastChild.remove();
  };

  const sameTag = (one, other) =>
    one.nodeType === Node.ELEMENT_NODE && one.cloneNode(false).isEqualNode(other.cloneNode(false));

  const setText = (node, text) => {
    if (node.textContent !== text) node.textContent = text;
  };

  /** A value that a log may leave out. */
  const name = (value, missing = "(unknown)") =>
    value === null || value === undefined || value === ""
      ? element("span", { class: "muted" }, missing)
      : element("bdi", null, value);

  const empty = (text) => element("p", { class: "empty" }, text);

  /** A table in a box that scrolls, by keyboard too. */
  const table = (label, head, rows, kind = "") => {
    const columns = head.map((column) =>
      element("th", { scope: "col", class: column.number ? "number" : null }, column.text));
    const lines = rows.map((cells) =>
      element("tr", null, cells.map((cell, index) => {
        const first = index === 0;
        return element(
          first ? "th" : "td",
          {
            scope: first ? "row" : null,
            class: head[index].number ? "number" : null,
            "data-column": head[index].text,
          },
          cell,
        );
      })));
    return element(
      "div",
      { class: `scroll ${kind}`, tabindex: "0", role: "region", "aria-label": label },
      element("table", null,
        element("caption", { class: "visually-hidden" }, label),
        element("thead", null, element("tr", null, columns)),
        element("tbody", null, lines)),
    );
  };

  const SEARCHED_ROWS = 15;

  const narrow = (search, box) => {
    const rows = [...box.querySelectorAll("tbody tr")];
    search.hidden = rows.length <= SEARCHED_ROWS;
    const wanted = search.hidden ? "" : search.querySelector("input").value.trim().toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    setText(search.querySelector("output"),
      wanted ? `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows` : "");
  };

  /**
   * A table's box, below a search for text in its rows that shows where they are many. The search
   * that is in the place already stays, with what the reader has typed.
   */
  const searchable = (place, what, box) => {
    let search = [...place.querySelectorAll(".search")].find((one) => one.dataset.of === what);
    if (!search) {
      search = element("div", { class: "search", "data-of": what },
        element("label", null, `Search ${what}`,
          element("input", { type: "search", autocomplete: "off", spellcheck: "false" })),
        element("output"));
      search.addEventListener("input", () => narrow(search, search.nextElementSibling));
    }
    narrow(search, box);
    return [search, box];
  };

  return { element, svg, replace, setText, name, empty, table, searchable };
})();
