"use strict";
// The list is replaced when the server says that it has changed.
(() => {
  const source = new EventSource("/events");
  source.addEventListener("listing", (event) => {
    const place = document.getElementById("listing");
    const focused = document.activeElement && document.activeElement.getAttribute("href");
    const checked = new Set([...place.querySelectorAll("input:checked")].map((box) => box.value));
    place.innerHTML = JSON.parse(event.data).html;
    for (const box of place.querySelectorAll("input")) box.checked = checked.has(box.value);
    if (focused) for (const link of place.querySelectorAll("a")) if (link.getAttribute("href") === focused) link.focus();
  });
})();
