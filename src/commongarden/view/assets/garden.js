"use strict";
// The list is replaced when the server says that it has changed.
(() => {
  const source = new EventSource("/events");
  source.addEventListener("listing", (event) => {
    const place = document.getElementById("listing");
    const focused = document.activeElement && document.activeElement.getAttribute("href");
    place.innerHTML = JSON.parse(event.data).html;
    if (focused) for (const link of place.querySelectorAll("a")) if (link.getAttribute("href") === focused) link.focus();
  });
})();
