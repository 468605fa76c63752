// The little that pages do better with a script. Every page is whole without it.
"use strict";

// A report in the making: look again every second, and put the new history in the old one's place.
function follow() {
  const history = document.querySelector("#reports[data-running]");
  if (!history) return;
  setTimeout(async () => {
    try {
      const answer = await fetch("/reports", { headers: { Accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("#reports");
      if (answer.ok && fresh) history.replaceWith(document.adoptNode(fresh));
    } catch {
      // The server is away for a moment: the next look may find it.
    }
    follow();
  }, 1000);
}

// A piece of a timeline: what it is is told below the bars, by tap, key, focus or hover.
function tell() {
  const told = document.querySelector("#told");
  if (!told) return;
  const say = (event) => {
    const piece = event.target.closest && event.target.closest("a.piece");
    if (!piece) return;
    told.textContent = piece.getAttribute("aria-label");
    if (event.type === "click") event.preventDefault();
  };
  told.textContent = "Point at a piece, tap it or reach it with the tab key: it says what it is and why.";
  for (const type of ["click", "focusin", "mouseover"]) document.addEventListener(type, say);
}

// Files dropped on the form are as good as picked ones.
function drop() {
  const form = document.querySelector("form[data-drop]");
  if (!form) return;
  const input = form.querySelector("input[type=file]");
  form.addEventListener("dragover", (event) => {
    event.preventDefault();
    form.classList.add("over");
  });
  form.addEventListener("dragleave", () => form.classList.remove("over"));
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    form.classList.remove("over");
    if (event.dataTransfer.files.length > 0) {
      input.files = event.dataTransfer.files;
      form.requestSubmit();
    }
  });
}

// A menu that filters does so when it is changed, and a page can be printed.
function wire() {
  for (const menu of document.querySelectorAll("select[data-submits]")) {
    menu.addEventListener("change", () => menu.form.requestSubmit());
  }
  for (const button of document.querySelectorAll("button[data-prints]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }
}

follow();
tell();
drop();
wire();
