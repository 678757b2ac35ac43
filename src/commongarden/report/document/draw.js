"use strict";
// drawCharts(specs, root) draws charts, by the id of their place, in a part of the page, and gives their views.
(() => {
  // Colours are custom properties of the style sheet: light, dark and print need no other chart.
  const font = getComputedStyle(document.body).fontFamily;
  const axis = {
    labelColor: "var(--soft)", titleColor: "var(--soft)", gridColor: "var(--line)", domainColor: "var(--line)",
    tickColor: "var(--line)", labelFont: font, titleFont: font, labelFontSize: 12, titleFontSize: 12,
    titleFontWeight: "normal", titlePadding: 8, labelPadding: 6, tickSize: 4,
  };
  const config = {
    aria: false, background: null, font, axis, axisY: { domain: false, ticks: false }, view: { stroke: null },
    title: { color: "var(--ink)", font, fontSize: 13, fontWeight: 600, anchor: "start", frame: "group", offset: 10 },
    text: { font }, point: { strokeWidth: 1.5 },
  };
  const options = {
    mode: "vega-lite", renderer: "svg", actions: false, defaultStyle: false, config, tooltip: { disableDefaultStyle: true },
    ast: "interpreted" in document.documentElement.dataset, // where the page's policy forbids code made of text
  };
  let shown = "";
  let views = []; // of the charts with lines, each with its place

  window.drawCharts = async (specs, root) => {
    const drawn = {};
    const closed = [...root.querySelectorAll("details:not([open])")].filter((fold) => fold.querySelector(".chart"));
    for (const fold of closed) fold.open = true; // a chart is as wide as its place, which has no width in a closed fold
    views = views.filter((one) => one.place.isConnected);
    for (const [name, spec] of Object.entries(specs)) {
      const place = document.getElementById(name);
      const { view } = await vegaEmbed(place, spec, options);
      place.querySelector("svg").setAttribute("aria-hidden", "true"); // its place says in words what it shows
      place.classList.add("drawn");
      if ((spec.params || []).some((parameter) => parameter.name === "shown")) views.push({ place, view });
      drawn[name] = view;
    }
    for (const fold of closed) {
      fold.open = false;
      fold.addEventListener("toggle", () => window.dispatchEvent(new Event("resize")));
    }
    document.documentElement.dataset.charts = "drawn";
    return drawn;
  };

  // A press on an arm in a legend brings it forward in every chart with lines; a second press lets it go.
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".legend button");
    if (!button) return;
    shown = shown === button.dataset.arm ? "" : button.dataset.arm;
    for (const other of document.querySelectorAll(".legend button")) {
      other.setAttribute("aria-pressed", String(other.dataset.arm === shown));
    }
    for (const { view } of views) view.signal("shown", shown).runAsync();
  });

  const specs = document.getElementById("specs");
  if (specs) drawCharts(JSON.parse(specs.textContent), document);
})();
