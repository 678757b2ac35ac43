"use strict";
// What the server says of a study goes into its place: the state as elements, epochs as rows of the curves, the report
// as elements with the charts that are drawn in them.
(() => {
  const address = document.getElementById("now").dataset.study;
  const live = document.getElementById("live");
  const report = document.getElementById("report");
  const curves = document.getElementById("curves");
  const lost = document.getElementById("lost");
  let views = null; // of the curves
  let rows = [];
  let hasState = false;
  let length = 0; // epochs that the curves have room for
  let wanted = -1;
  let shown = -1;
  let isAsking = false;

  // Replaces the elements in a place; what was unfolded stays so, and the focus stays where it was.
  const replace = (place, html) => {
    const label = (fold) => fold.id || fold.querySelector("summary").textContent.replace(/\d+/g, "");
    const known = new Map([...place.querySelectorAll("details")].map((fold) => [label(fold), fold.open]));
    const focused = place.contains(document.activeElement) ? [...place.querySelectorAll("*")].indexOf(document.activeElement) : -1;
    place.innerHTML = html;
    for (const fold of place.querySelectorAll("details")) if (known.has(label(fold))) fold.open = known.get(label(fold));
    const again = focused < 0 ? null : place.querySelectorAll("*")[focused];
    if (again) again.focus({ preventScroll: true });
  };

  // The charts' scripts are large, and nothing but charts waits for them.
  let scripts = null;
  const loaded = () => {
    const one = (path) =>
      new Promise((done, failed) => {
        const script = document.createElement("script");
        script.src = path;
        script.onload = done;
        script.onerror = failed;
        document.head.append(script);
      });
    scripts = scripts || one("/assets/vega.js").then(() => one("/assets/draw.js"));
    return scripts;
  };

  const fetched = async (path) => {
    const answer = await fetch(address + path, { credentials: "same-origin" });
    return answer.json();
  };

  // The report is asked for one at a time, and again if there was news in the meantime.
  const ask = async () => {
    if (isAsking) return;
    isAsking = true;
    try {
      while (shown !== wanted) {
        const version = wanted;
        report.setAttribute("aria-busy", "true");
        const made = await fetched("/report");
        replace(report, made.html);
        await loaded();
        await drawCharts(made.specs, report);
        report.setAttribute("aria-busy", "false");
        report.dataset.version = version;
        if (shown < 0 && location.hash) dispatchEvent(new HashChangeEvent("hashchange"));
        shown = version;
      }
    } finally {
      isAsking = false;
    }
  };

  const draw = async (epochs) => {
    length = epochs;
    curves.hidden = false;
    const specs = (await fetched("/curves")).specs;
    await loaded();
    const given = rows.length;
    for (const spec of Object.values(specs)) spec.datasets = { ...spec.datasets, rows: rows.slice() };
    views = Object.values(await drawCharts(specs, curves));
    for (const view of views) if (rows.length > given) view.insert("rows", rows.slice(given)).runAsync();
  };

  const buttons = [...document.querySelectorAll("#steer button")];
  const dropped = document.getElementById("dropped");
  const offer = (actions, arms) => {
    for (const button of buttons) button.hidden = !actions.includes(button.dataset.action);
    dropped.parentElement.parentElement.hidden = !actions.includes("drop");
    if ([...dropped.options].map((one) => one.value).join("\n") === arms.join("\n")) return;
    const chosen = dropped.value;
    dropped.replaceChildren(...arms.map((arm) => new Option(arm, arm, false, arm === chosen)));
  };
  for (const button of buttons) {
    button.addEventListener("click", async () => {
      if (!confirm(button.dataset.sure.replace("{arm}", dropped.value))) return;
      button.disabled = true;
      const arm = button.dataset.action === "drop" ? `?arm=${encodeURIComponent(dropped.value)}` : "";
      const path = `${address}/steer/${button.dataset.action}${arm}`;
      const answer = await fetch(path, { method: "POST", credentials: "same-origin" });
      document.getElementById("refused").innerHTML = (await answer.json()).html;
      button.disabled = false;
    });
  }

  const source = new EventSource(`${address}/events`);
  source.addEventListener("live", (event) => {
    const said = JSON.parse(event.data);
    replace(live, said.html);
    live.dataset.state = said.state;
    if (said.actions) offer(said.actions, said.arms);
    if (!hasState) curves.open = said.state === "running"; // those of finished runs stand in the report
    hasState = true;
    lost.hidden = true;
  });
  source.addEventListener("rows", (event) => {
    const said = JSON.parse(event.data);
    const isNew = said.reset || said.epochs > length;
    rows = said.reset ? said.rows : rows.concat(said.rows);
    curves.dataset.rows = rows.length;
    if (!rows.length) return;
    if (isNew) {
      views = null;
      draw(said.epochs);
    } else if (views) for (const view of views) view.insert("rows", said.rows).runAsync();
  });
  source.addEventListener("report", (event) => {
    wanted = JSON.parse(event.data).version;
    ask();
  });
  source.addEventListener("error", () => {
    lost.hidden = false;
  });
  source.addEventListener("open", () => {
    lost.hidden = true;
    shown = -1; // another server may have another count
  });
})();
