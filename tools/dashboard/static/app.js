// Starts the page: with the snapshot that is in it (a report), or with the server's.
"use strict";

(() => {
  const SECONDS_LIVE = 1;
  const SECONDS_AT_REST = 3;
  const embedded = document.getElementById("snapshot");
  let snapshot = null;
  let paused = false;

  const show = (next) => {
    snapshot = next;
    weblog.sections.render(snapshot);
    document.documentElement.dataset.ready = "true";
  };

  for (const choice of document.querySelectorAll("input[name=measure]")) {
    choice.addEventListener("change", () => snapshot && weblog.sections.countries(snapshot));
  }

  if (embedded) {
    show(JSON.parse(embedded.textContent));
    return;
  }

  const pause = document.getElementById("pause");
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Go on" : "Pause updates";
    if (!paused) poll();
  });

  const lost = () => {
    const badge = document.getElementById("state");
    badge.textContent = "no connection to the dashboard";
    badge.dataset.state = "lost";
    document.documentElement.dataset.connection = "lost";
  };

  let timer = null;
  const poll = async () => {
    clearTimeout(timer);
    if (paused) return;
    try {
      const query = snapshot ? `?revision=${snapshot.revision}` : "";
      const answer = await fetch(`snapshot.json${query}`, { cache: "no-store", redirect: "error" });
      if (answer.status === 200) {
        const next = await answer.json();
        if (!paused) show(next);
      } else if (answer.status === 204 && document.documentElement.dataset.connection) {
        show(snapshot);
      }
      delete document.documentElement.dataset.connection;
    } catch {
      lost();
    }
    const busy = snapshot && (snapshot.run.reading < 1
      || ["preparing", "running", "finishing"].includes(snapshot.run.state));
    timer = setTimeout(poll, 1000 * (busy ? SECONDS_LIVE : SECONDS_AT_REST));
  };
  poll();
})();
