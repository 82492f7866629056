// The parts of the page: each takes the snapshot and shows its part of it.
"use strict";

(globalThis.weblog ??= {}).sections = (() => {
  const { element, replace, setText, name, empty, table, searchable } = weblog.dom;
  const { barTable } = weblog.bars;
  const { Timeline } = weblog.timeline;
  const { WorldMap } = weblog.map;
  const { flowMap, NO_PAGE } = weblog.flow;
  const format = weblog.format;

  const body = (id) => document.querySelector(`#${id} .body`);
  const isOff = (snapshot, output) =>
    snapshot.run.outputs.length > 0 && !snapshot.run.outputs.includes(output);
  const live = (snapshot) => ["preparing", "running", "finishing"].includes(snapshot.run.state);
  /** Why there is nothing to show. */
  const nothing = (snapshot, output, text) => {
    if (isOff(snapshot, output)) return `The output ${output} is switched off (weblog.outputs).`;
    if (snapshot.run.state === "none") return "No run yet.";
    return live(snapshot) ? "Nothing yet." : text;
  };

  const STATES = {
    none: "no run yet",
    preparing: "reading the input",
    running: "running",
    finishing: "gathering the results",
    finished: "finished",
    failed: "failed",
    interrupted: "interrupted",
    lost: "ended without results",
  };

  const header = (snapshot) => {
    const { run, flink } = snapshot;
    const badge = document.getElementById("state");
    const state = run.state === "running" && !flink?.lines ? "starting Flink" : STATES[run.state] ?? run.state;
    setText(badge, state);
    badge.dataset.state = run.state;
    const files = run.source_count > 1 ? `${format.count(run.source_count)} files` : run.sources[0] ?? "";
    const begin = run.started_at ? `started ${format.iso(run.started_at)}` : "";
    const seconds = run.seconds === null || run.seconds === undefined ? "" : `took ${run.seconds.toFixed(1)} s with start-up`;
    setText(document.getElementById("source"),
      [files, `results in ${run.output}`, begin, seconds].filter(Boolean).join(" · "));
    document.title = `${state} – Web log run`;
    const link = document.getElementById("flink-ui");
    const address = /^http:\/\/127\.0\.0\.1:\d+\/$/.test(flink?.ui ?? "") ? flink.ui : null;
    link.hidden = !address;
    if (address && link.getAttribute("href") !== address) link.setAttribute("href", address);
    progress(run, flink);
  };

  const progress = (run, flink) => {
    const bar = document.getElementById("progress");
    const lines = flink?.lines ?? run.lines_read;
    bar.hidden = run.state !== "running" || !run.lines_total || !lines;
    if (bar.hidden) return;
    const share = Math.min(100, Math.round((100 * lines) / run.lines_total));
    bar.setAttribute("aria-valuenow", String(share));
    bar.setAttribute("aria-valuetext", `${format.count(lines)} of ${format.count(run.lines_total)} lines`);
    bar.firstElementChild.style.setProperty("width", `${share}%`);
  };

  const notices = (snapshot) => {
    const { run } = snapshot;
    const texts = [];
    if (run.state === "none") {
      texts.push(`There is no run in ${run.output} yet. Start one with ./build.sh run; it shows here at once.`);
    }
    if (["failed", "interrupted", "lost"].includes(run.state)) {
      texts.push(run.message ?? "The run has ended without results.");
      texts.push("What is shown is what it had written until then.");
    }
    if (run.reading < 1) texts.push(`Still reading the results: ${Math.floor(100 * run.reading)} % done.`);
    if (run.unreadable) texts.push(`${format.plural(run.unreadable, "row", "rows")} could not be read and are left out.`);
    replace(document.getElementById("notices"),
      texts.map((text) => element("p", { class: `notice ${run.state}` }, text)));
  };

  const figures = (snapshot) => {
    const { run, accounts, overview, throughput, flink } = snapshot;
    const errors = overview.totals.client_errors + overview.totals.server_errors;
    const requests = overview.totals.requests;
    const rates = throughput.rate;
    const mean = run.seconds && accounts.lines_in ? accounts.lines_in / run.seconds : null;
    const now = live(snapshot) ? rates.at(-1) : mean;
    const lines = live(snapshot) ? (flink?.lines ?? run.lines_read) : accounts.lines_in;
    const list = [
      ["Lines in", format.count(lines), live(snapshot) && run.lines_total ? `of ${format.count(run.lines_total)}` : ""],
      ["Enriched", format.count(accounts.enriched), accounts.late ? `${format.count(accounts.late)} late` : "none late"],
      ["Filtered", format.count(accounts.filtered_count), accounts.filtered.slice(0, 2).map((one) => `${one.reason} ${format.count(one.count)}`).join(", ") || "none"],
      ["Dead letters", format.count(accounts.dead_lettered_count), lines ? format.percent(accounts.dead_lettered_count / lines) : ""],
      ["Error rate", requests ? format.percent(errors / requests) : "–", requests ? `${format.count(errors)} of ${format.count(requests)} requests` : ""],
      ["Data sent", requests ? format.bytes(overview.totals.bytes_sent) : "–", requests ? `${format.percent(overview.totals.bot_requests / requests)} of requests by bots` : ""],
      [live(snapshot) ? "Lines/s now" : "Lines/s", format.count(now === null || now === undefined ? null : Math.round(now)), rates.length ? `peak ${format.count(Math.round(Math.max(...rates)))}` : ""],
    ];
    replace(document.getElementById("figures"), list.map(([label, value, note]) =>
      element("div", { class: "figure" },
        element("dt", null, label),
        element("dd", { class: "value" }, value),
        element("dd", { class: "note" }, note || "\u00a0"))));
    const sum = accounts.enriched + accounts.filtered_count + accounts.dead_lettered_count;
    setText(document.getElementById("balance"), !accounts.final ? "" :
      sum === accounts.lines_in
        ? `Every line is accounted for: ${format.count(accounts.enriched)} enriched + ${format.count(accounts.filtered_count)} filtered + ${format.count(accounts.dead_lettered_count)} dead-lettered = ${format.count(sum)}.`
        : `${format.count(accounts.lines_in)} lines in, but ${format.count(sum)} accounted for.`);
  };

  // A section holds either its content or words about why there is none.
  const either = (id, has, text, make) => {
    const place = body(id);
    if (!has) {
      place.weblog = null;
      replace(place, empty(text));
      return null;
    }
    place.weblog ??= make(place);
    return place.weblog;
  };

  const overviewCharts = (snapshot) => {
    const { overview } = snapshot;
    const has = overview.starts.length > 0;
    const why = nothing(snapshot, "traffic_overview", "No requests in this run.");
    for (const step of document.querySelectorAll(".step")) {
      setText(step, has ? `One step is ${format.duration(overview.step)}.`
        + (overview.outside ? ` ${format.plural(overview.outside, "request", "requests")} dated far from the others not shown.` : "") : "");
    }
    const errors = overview.client_errors.map((number, index) => number + overview.server_errors[index]);
    const when = (seconds, step) => `${format.time(seconds, step)} UTC`;
    either("requests", has, why, (place) => new Timeline(place, {
      id: "requests", label: "Requests over time", time: true, when, least: 1,
      axisText: format.compact,
      series: [
        { name: "good", short: "requests", label: "Requests", kind: "bars", text: format.count },
        { name: "client", short: "4xx and 5xx", label: "with errors (4xx and 5xx)", kind: "bars", text: format.count },
        { name: "server", short: "5xx", label: "with server errors (5xx)", kind: "bars", hatched: true, text: format.count },
      ],
    }))?.update([overview.starts, overview.requests, errors, overview.server_errors], overview.step);
    either("error-rate", has, why, (place) => new Timeline(place, {
      id: "error-rate", label: "Error rate over time", time: true, when, least: 0.01,
      axisText: (value) => `${Number((100 * value).toPrecision(3))} %`,
      series: [{ name: "rate", short: "errors", label: "Errors of all requests", kind: "line", text: format.percent }],
    }))?.update([
      overview.starts,
      errors.map((number, index) => (overview.requests[index] ? number / overview.requests[index] : null)),
    ], overview.step);
  };

  const speed = (snapshot) => {
    const { seconds, rate } = snapshot.throughput;
    const text = snapshot.run.state === "finished"
      ? "The run was too short to be measured, or was made before this was recorded."
      : nothing(snapshot, "", "Nothing was measured.");
    either("throughput", seconds.length > 0, text, (place) => new Timeline(place, {
      id: "throughput", label: "Speed of the job", time: false, least: 10,
      when: (value) => `${value.toFixed(1)} s`,
      ticks: (plot, values) => values.map((value) => `${value} s`),
      axisText: format.compact,
      series: [{ name: "speed", short: "lines/s", label: "Lines/s", kind: "line", text: (value) => format.count(value) }],
    }))?.update([seconds, rate], 0);
  };

  const countries = (snapshot) => {
    const rows = snapshot.countries.rows;
    const parts = either("countries", rows.length > 0,
      nothing(snapshot, "traffic_per_country", "No traffic in this run."), (place) => {
        const map = element("div", { class: "map" });
        const list = element("div");
        place.replaceChildren(map, list);
        const world = new WorldMap(map);
        list.addEventListener("pointerover", (event) => world.highlight(event.target.closest("tr")?.dataset.key));
        list.addEventListener("pointerleave", () => world.highlight(null));
        return { world, list };
      });
    if (!parts) return;
    const measure = document.querySelector("input[name=measure]:checked").value;
    const sorted = [...rows].sort((a, b) => b[measure] - a[measure]);
    parts.world.update(rows, measure);
    replace(parts.list, searchable(parts.list, "countries", barTable({
      label: "Traffic per country, table", first: "Country", rows: sorted, tall: true,
      missing: snapshot.run.geoip ? "(not known)" : "(no GeoIP database)",
      key: (row) => row.code,
      parts: (row) => [["good", row[measure]]],
      columns: [
        { text: "Requests", of: (row) => format.count(row.requests) },
        { text: "Data sent", of: (row) => format.bytes(row.bytes_sent) },
      ],
    })));
  };

  const pages = (snapshot) => {
    const { pages: found } = snapshot;
    const place = body("pages");
    if (!found.rows.length) {
      replace(place, empty(nothing(snapshot, "errors_per_page", "No errors in this run.")));
      return;
    }
    const rest = found.errors_of_others
      ? element("p", { class: "hint" }, `${format.plural(found.errors_of_others, "error", "errors")} more on other pages, of ${format.count(found.errors)} in all.`)
      : null;
    replace(place,
      element("ul", { class: "legend" },
        element("li", null, element("span", { class: "key client bars", "aria-hidden": "true" }), "Client errors (4xx)"),
        element("li", null, element("span", { class: "key server bars", "aria-hidden": "true" }), "Server errors (5xx)")),
      searchable(place, "pages with errors", barTable({
        label: "Errors per page, table", first: "Page", rows: found.rows, tall: true, missing: "(no page)",
        parts: (row) => [["client", row.client_errors], ["server", row.server_errors]],
        columns: [
          { text: "4xx", of: (row) => format.count(row.client_errors) },
          { text: "5xx", of: (row) => format.count(row.server_errors) },
          { text: "Requests", of: (row) => format.count(row.requests) },
          { text: "Error rate", of: (row) => format.percent((row.client_errors + row.server_errors) / row.requests) },
        ],
      })), rest);
  };

  const clients = (snapshot) => {
    const place = body("clients");
    const kinds = [["device_type", "Device"], ["browser", "Browser"], ["os", "Operating system"]];
    if (!snapshot.clients.device_type.rows.length) {
      replace(place, empty(nothing(snapshot, "traffic_per_client", "No traffic in this run.")));
      return;
    }
    const all = snapshot.overview.totals.requests
      || snapshot.clients.device_type.rows.reduce((sum, row) => sum + row.requests, 0);
    replace(place, kinds.map(([kind, label]) => {
      const { rows, others } = snapshot.clients[kind];
      return element("div", null,
        element("h3", { class: "visually-hidden" }, label),
        barTable({
          label: `Requests by ${label.toLowerCase()}`, first: label, rows,
          parts: (row) => [["good", row.requests]],
          columns: [
            { text: "Requests", of: (row) => format.count(row.requests) },
            { text: "Share", of: (row) => format.percent(row.requests / all) },
          ],
        }),
        others.requests ? element("p", { class: "hint" }, `${format.plural(others.requests, "request", "requests")} by others.`) : null);
    }));
  };

  const times = (snapshot) => {
    const { rows, requests_of_others: others } = snapshot.times;
    // Most log formats do not say how long requests took.
    document.getElementById("times").hidden = !rows.length && isOff(snapshot, "response_times");
    replace(body("times"), !rows.length
      ? empty(nothing(snapshot, "response_times", "No line of this run says how long its request took."))
      : searchable(body("times"), "slowest pages", barTable({
        label: "Slowest pages, table", first: "Page", rows, tall: true, missing: "(no page)",
        parts: (row) => [["good", row.mean_ms]],
        columns: [
          { text: "Mean", of: (row) => format.milliseconds(row.mean_ms) },
          { text: "p95", of: (row) => format.milliseconds(row.p95_ms) },
          { text: "Longest", of: (row) => format.milliseconds(row.max_ms) },
          { text: "Requests", of: (row) => format.count(row.requests) },
        ],
      })),
      others ? element("p", { class: "hint" }, `${format.plural(others, "request", "requests")} for other pages.`) : null);
  };

  const flow = (snapshot) => {
    const place = body("flow");
    const { rows, requests, requests_of_others: others } = snapshot.flow;
    if (!rows.length) {
      replace(place, empty(nothing(snapshot, "page_flow",
        "No request came from a page of the site itself. (weblog.site: internal.hosts names its hosts.)")));
      return;
    }
    const details = place.querySelector("details") ?? element("details", { class: "data" },
      element("summary", null, "The most frequent steps as a list"), element("div"));
    const list = table("Most frequent steps", [{ text: "From" }, { text: "To" }, { text: "Requests", number: true }],
      rows.map((row) => [name(row.origin, NO_PAGE), name(row.target, NO_PAGE), format.count(row.requests)]), "tall");
    replace(details.lastElementChild, searchable(details.lastElementChild, "steps", list));
    replace(place, flowMap(snapshot.flow),
      others ? element("p", { class: "hint" }, `${format.plural(others, "request", "requests")} more between other pages, of ${format.count(requests)} in all.`) : null,
      details);
  };

  const bots = (snapshot) => {
    const place = body("bots");
    if (!snapshot.bots.bot_kind.rows.length) {
      replace(place, empty(nothing(snapshot, "bots", "No bots in this run.")));
      return;
    }
    replace(place, [["bot_kind", "Kind"], ["bot", "Bot"]].map(([kind, label]) => {
      const { rows, others } = snapshot.bots[kind];
      return element("div", null,
        barTable({
          label: `Bots by ${kind === "bot" ? "name" : "kind"}`, first: label, rows,
          parts: (row) => [["good", row.requests]],
          columns: [
            { text: "Requests", of: (row) => format.count(row.requests) },
            { text: "Data sent", of: (row) => format.bytes(row.bytes_sent) },
          ],
        }),
        others.requests ? element("p", { class: "hint" }, `${format.plural(others.requests, "request", "requests")} by others.`) : null);
    }));
  };

  const networks = (snapshot) => {
    const place = body("networks");
    const { run, networks: rows } = snapshot;
    if (!rows?.length || !run.asn) {
      replace(place, empty(
        run.state === "none" ? "No run yet."
          : !rows ? "Counted when a run has ended."
            : !rows.length ? "No probes and no errors in this run."
              : "Without a database of networks nothing tells whose they are. Name one by weblog.geoip: asn.database.path, such as GeoLite2 ASN or DB-IP ASN Lite; docs/who.md says where to get it."));
      return;
    }
    replace(place, searchable(place, "networks", barTable({
      label: "Networks of probes, table", first: "Network", tall: true, missing: "(not known)",
      rows: rows.map((row) => ({ ...row, name: row.as_org })),
      parts: (row) => [["server", row.probes]],
      columns: [
        { text: "ASN", of: (row) => (row.asn === null ? "–" : `AS${row.asn}`) },
        { text: "Probes", of: (row) => format.count(row.probes) },
        { text: "4xx", of: (row) => format.count(row.client_errors) },
        { text: "5xx", of: (row) => format.count(row.server_errors) },
      ],
    })));
  };

  const letters = (snapshot) => {
    const place = body("letters");
    const { rows, others, count } = snapshot.dead_letters;
    if (!count) {
      replace(place, empty(nothing(snapshot, "dead_letters", "No dead letters in this run: every line could be used.")));
      return;
    }
    // What the reader has opened stays open when the numbers change.
    const open = new Set([...place.querySelectorAll("details[open]")].map((one) => one.dataset.reason));
    const focused = place.contains(document.activeElement)
      ? document.activeElement.closest("details")?.dataset.reason : null;
    const first = place.querySelector("details") === null;
    replace(place, rows.map((row, index) => {
      const details = element("details", { class: "letter", "data-reason": row.reason },
        element("summary", null,
          element("bdi", { class: "reason" }, row.reason),
          element("span", { class: "count" }, format.plural(row.count, "line", "lines"))),
        row.samples.map((sample) => element("div", { class: "sample" },
          element("p", null, element("bdi", null, sample.message),
            element("span", { class: "muted" }, ` · ${sample.encoding === "base64" ? "not UTF-8, bytes shown as \\xNN · " : ""}failed ${format.iso(sample.failed_at)}${sample.attempts === "1" ? "" : ` · attempt ${sample.attempts}`}`)),
          element("pre", { tabindex: "0" }, element("bdi", null, sample.raw)))),
        row.count > row.samples.length
          ? element("p", { class: "hint" }, `${format.plural(row.count - row.samples.length, "line", "lines")} more in the folder dead_letters.`) : null);
      if (open.has(row.reason) || (first && index === 0)) details.setAttribute("open", "");
      return details;
    }), others ? element("p", { class: "hint" }, `${format.plural(others, "line", "lines")} more for other reasons.`) : null);
    // Where reasons have changed places.
    if (focused !== null && !place.contains(document.activeElement)) {
      [...place.querySelectorAll("details")].find((one) => one.dataset.reason === focused)
        ?.querySelector("summary").focus();
    }
  };

  const isTime = (column) => /(_at|_start|_end|_time)$/.test(column);
  const alertValue = (column, value) => {
    if (value === null || value === undefined || value === "") return "–";
    if (typeof value === "number") return String(Number(value.toPrecision(6)));
    if (isTime(column) && /^\d{4}-\d\d-\d\dT/.test(value)) return element("span", { class: "time" }, format.iso(value).replace(/ UTC$/, ""));
    if (column === "state") {
      return element("span", { class: "badge small", "data-state": value }, String(value));
    }
    return element("bdi", null, String(value));
  };

  const alerts = (snapshot) => {
    const place = body("alerts");
    const found = snapshot.alerts.filter((one) => one.count);
    if (!found.length) {
      const output = snapshot.alerts.find((one) => !isOff(snapshot, one.output))?.output
        ?? snapshot.alerts[0]?.output ?? "alerts";
      replace(place, empty(snapshot.alerts.length
        ? nothing(snapshot, output, "No alerts in this run.") : "This job has no alerts."));
      return;
    }
    replace(place, found.flatMap((one) => [
      ...searchable(place, found.length > 1 ? one.output : "alerts", table(found.length > 1 ? `Alerts: ${one.output}` : "Alerts, the latest first",
        one.columns.map((column) => ({ text: column.replaceAll("_", " ") + (isTime(column) ? " (UTC)" : ""), number: one.rows.every((row) => row[one.columns.indexOf(column)] === null || typeof row[one.columns.indexOf(column)] === "number") })),
        one.rows.map((row) => row.map((value, index) => alertValue(one.columns[index], value))),
        "tall stacked")),
      one.count > one.rows.length
        ? element("p", { class: "hint" }, `The latest ${format.count(one.rows.length)} of ${format.count(one.count)} changes.`) : null,
    ]));
  };

  const footer = (snapshot) => {
    const { run } = snapshot;
    const outside = (address, text) => element("a", { href: address, rel: "noopener noreferrer" }, text);
    replace(document.getElementById("footer"),
      element("p", null, "All times are UTC. Rates and shares are of requests in windows; late records are in none."),
      element("p", null, "This page holds sums, the 50 pages with most errors and the 50 slowest, the 50 networks with most probes, the 12 by 12 pages with most steps, the first 5 dead letters of a reason and the latest 200 alerts, with long values cut. The output folder has everything."),
      /^dbip/i.test(run.geoip)
        ? element("p", null, outside("https://db-ip.com", "IP Geolocation by DB-IP"), ` (${run.geoip}), CC BY 4.0.`)
        : run.geoip ? element("p", null, `Places by ${run.geoip}.`) : null,
      element("p", null, "Map: Natural Earth. Charts: uPlot."));
  };

  const PARTS = [header, notices, figures, alerts, overviewCharts, countries, pages, times, flow, clients, bots, networks, letters, speed, footer];
  const render = (snapshot) => PARTS.forEach((part) => part(snapshot));

  return { render, countries };
})();
