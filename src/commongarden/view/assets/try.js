"use strict";
// A photo that is chosen, dropped or pressed goes to the server, and what the models say of it into its place.
(() => {
  const address = document.getElementById("try").dataset.study;
  const asking = document.getElementById("asking");
  const answer = document.getElementById("answer");
  const drop = document.getElementById("drop");
  const photos = document.getElementById("photos");
  const form = document.getElementById("browse");
  const more = document.getElementById("more");
  let last = 0; // of the questions: an earlier answer that comes later is not shown
  let page = 0;

  const ask = async (path, options) => {
    const mine = ++last;
    asking.textContent = asking.dataset.said;
    answer.setAttribute("aria-busy", "true");
    try {
      const said = await (await fetch(address + path, { credentials: "same-origin", ...options })).json();
      if (mine !== last) return;
      answer.innerHTML = said.html;
      answer.focus({ preventScroll: false });
      asking.textContent = "";
    } catch {
      if (mine === last) asking.textContent = asking.dataset.unanswered;
    } finally {
      if (mine === last) answer.setAttribute("aria-busy", "false");
    }
  };
  const send = (file) => file && ask("/try/photo", { method: "POST", body: file });

  for (const name of ["chosen", "camera"]) {
    const input = document.getElementById(name);
    input.addEventListener("change", () => {
      send(input.files[0]);
      input.value = "";
    });
  }
  addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  addEventListener("dragleave", () => drop.classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    send(event.dataTransfer.files[0]);
  });
  addEventListener("paste", (event) => send([...event.clipboardData.files][0]));

  photos.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-number]");
    if (button) ask(`/try/test/${button.dataset.number}`);
  });
  const list = async () => {
    const asked = new URLSearchParams(new FormData(form));
    asked.set("page", page);
    const found = await (await fetch(`${address}/photos?${asked}`, { credentials: "same-origin" })).json();
    if (page === 0) photos.innerHTML = "";
    photos.insertAdjacentHTML("beforeend", found.html);
    if (!photos.children.length) photos.textContent = photos.dataset.none;
    more.hidden = !found.more;
  };
  form.addEventListener("change", () => {
    page = 0;
    list();
  });
  more.addEventListener("click", () => {
    page += 1;
    list();
  });
  if (!form.hidden) list();
})();
