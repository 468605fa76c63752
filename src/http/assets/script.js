// Small improvements of pages. Every page works without this script.
"use strict";

// While a report runs: fetch the page every second, and replace the history.
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
      // The server is unreachable; the next try may succeed.
    }
    follow();
  }, 1000);
}

// A piece of a timeline: tap, key, focus or hover shows its text below the bars.
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

// Files may be dropped on the form, too.
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
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    upload(form);
  });
}

// Sends the form's files with a progress bar, and shows the answer in place of the page's content.
function upload(form) {
  const [line, button] = [form.querySelector(".progress"), form.querySelector("button")];
  const [bar, text] = [line.querySelector("progress"), line.querySelector("span")];
  const request = new XMLHttpRequest();
  request.upload.onprogress = ({ loaded, total }) => {
    bar.value = (100 * loaded) / total;
    text.textContent = `${Math.floor(bar.value)} % sent`;
  };
  request.upload.onload = () => {
    bar.removeAttribute("value");
    text.textContent = "All sent; the rows are being loaded";
  };
  request.onload = () => {
    const page = new DOMParser().parseFromString(request.responseText, "text/html");
    const fresh = page.querySelector("main");
    if (!fresh) return request.onerror();
    document.title = page.title;
    document.querySelector("main").replaceWith(document.adoptNode(fresh));
    drop();
    scrollTo(0, 0);
  };
  request.onerror = () => {
    const detail = /"detail": ?"([^"]*)"/.exec(request.responseText);
    bar.hidden = true;
    button.disabled = false;
    text.textContent = `Nothing was loaded: ${detail ? detail[1] : "the server did not answer; try again"}`;
  };
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "text/html");
  line.hidden = bar.hidden = false;
  button.disabled = true;
  request.send(new FormData(form));
}

// A filter menu applies when it changes, and a button prints the page.
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
