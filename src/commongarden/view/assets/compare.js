"use strict";
// The comparison is asked for once, and its charts are drawn in it.
(async () => {
  const report = document.getElementById("report");
  try {
    const made = await (await fetch(report.dataset.report, { credentials: "same-origin" })).json();
    report.innerHTML = made.html;
    await drawCharts(made.specs, report);
  } catch {
    report.textContent = report.dataset.unanswered;
  }
  report.setAttribute("aria-busy", "false");
})();
