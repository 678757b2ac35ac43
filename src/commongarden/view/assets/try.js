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
  const near = document.getElementById("near");
  const nearest = document.getElementById("nearest");
  let asked = []; // the photo that was asked about last
  let last = 0; // of the questions: an earlier answer that comes later is not shown
  let page = 0;
  let lists = 0; // of the test photos that were asked for

  // what: of a photo, sent or of the study. It goes to /try for the models' answers, and to /near for similar photos.
  const ask = async (what, options) => {
    const mine = ++last;
    asked = [what, options];
    near.hidden = true;
    nearest.innerHTML = "";
    asking.textContent = asking.dataset.said;
    answer.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(`${address}/try/${what}`, { credentials: "same-origin", ...options });
      const said = await response.json();
      if (mine !== last) return;
      answer.innerHTML = said.html;
      near.hidden = !response.ok;
      answer.focus({ preventScroll: false });
      asking.textContent = "";
    } catch {
      if (mine === last) asking.textContent = asking.dataset.unanswered;
    } finally {
      if (mine === last) answer.setAttribute("aria-busy", "false");
    }
  };
  const send = (file) => file && ask("photo", { method: "POST", body: file });
  const show = (number) => {
    history.replaceState(null, "", `?photo=${number}`); // a link to this photo
    ask(`test/${number}`);
  };
  near.addEventListener("click", async () => {
    const mine = last;
    const [what, options] = asked;
    near.disabled = true;
    asking.textContent = near.dataset.said;
    try {
      const response = await fetch(`${address}/near/${what}`, { credentials: "same-origin", ...options });
      const said = await response.json();
      if (mine !== last) return;
      nearest.innerHTML = said.html;
      near.hidden = response.ok;
      asking.textContent = "";
      nearest.focus({ preventScroll: true });
    } catch {
      if (mine === last) asking.textContent = asking.dataset.unanswered;
    } finally {
      near.disabled = false;
    }
  });

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
    if (button) show(button.dataset.number);
  });
  const list = async () => {
    const mine = ++lists;
    const query = new URLSearchParams(new FormData(form));
    query.set("page", page);
    more.disabled = true;
    const found = await (await fetch(`${address}/photos?${query}`, { credentials: "same-origin" })).json();
    if (mine !== lists) return; // another order was chosen in the meantime
    more.disabled = false;
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
  const linked = new URLSearchParams(location.search).get("photo");
  if (/^[0-9]+$/.test(linked)) ask(`test/${linked}`);
})();
