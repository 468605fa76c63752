// Small improvements of pages. Every page works without this script.
"use strict";

// A page that shows what is now asks for itself again, and takes over what has changed. It rests while nobody looks.
function renew() {
  let [tag, timer] = [null, 0];
  const seconds = () => Number(document.querySelector("main").dataset.renews) || 0;
  const wait = () => {
    clearTimeout(timer);
    if (seconds() && !document.hidden) timer = setTimeout(look, 1000 * seconds());
  };
  const look = async () => {
    try {
      const headers = { Accept: "text/html", ...(tag && { "If-None-Match": tag }) };
      const answer = await fetch(location.href, { cache: "no-store", headers });
      const page = answer.status === 200 && (await answer.text());
      if (page && seconds() && !document.hidden) {
        tag = answer.headers.get("ETag");
        take(new DOMParser().parseFromString(page, "text/html"));
      }
    } catch {
      // The server is unreachable; the next try may succeed.
    }
    wait();
  };
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (seconds() && !document.hidden) look();
  });
  wait();
}

// Takes over a newer page; the focus stays where it was.
function take(page) {
  const held = document.activeElement;
  document.title = page.title;
  for (const part of ["p.newest", "main"]) {
    const [old, fresh] = [document.querySelector(part), page.querySelector(part)];
    if (old && fresh) merge(old, fresh);
  }
  show();
  if (held !== document.activeElement && held.isConnected) held.focus({ preventScroll: true });
}

// Makes a node as a newer one is, and keeps what has not changed: scrolling, selected text, open details. Forms and
// outputs stay as they are, because somebody may have typed or chosen something.
const OWN = new Set(["open", "tabindex"]);
function merge(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.data = fresh.data;
    return;
  }
  if (old.matches("form, output")) {
    // The token of the page is not typed, and that of an older server is worth nothing.
    const [own, newer] = [old, fresh].map((one) => one.querySelector("input[name=csrf]"));
    if (own && newer) own.value = newer.value;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!OWN.has(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (!OWN.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const known = new Map([...old.childNodes].map((child) => [keyOf(child), child]));
  let place = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const key = keyOf(child);
    let same = key && known.get(key);
    if (!key && place && !keyOf(place) && place.nodeName === child.nodeName) same = place;
    known.delete(key);
    if (!same) {
      old.insertBefore(document.adoptNode(child), place);
      continue;
    }
    if (same === place) place = place.nextSibling;
    else old.insertBefore(same, place);
    merge(same, child);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

// What tells a node from those beside it: its id, or of a row the first link in it.
function keyOf(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return "";
  const link = /^(tr|li)$/i.test(node.nodeName) && node.querySelector("a[href]");
  const key = node.id || (link && link.getAttribute("href"));
  return key ? `${node.nodeName} ${key}` : "";
}

// A piece of a chart: tap, focus or hover shows beside it what it is and why. Arrow keys move within the chart, whose
// attribute names its rows. The pieces may be newer than this script's start.
function tell(chart) {
  const told = chart.querySelector(".told");
  const all = (inside) => [...inside.querySelectorAll(".piece")];
  const pieceAt = (event) => event.target.closest && event.target.closest(".piece");
  const say = (piece) => {
    // The browser's own tip would cover ours.
    const tip = piece.querySelector("title");
    if (tip) tip.remove();
    piece.removeAttribute("title");
    told.textContent = piece.getAttribute("aria-label");
    told.hidden = false;
    const [box, at] = [chart.getBoundingClientRect(), piece.getBoundingClientRect()];
    const left = at.left + at.width / 2 - box.left - told.offsetWidth / 2;
    told.style.left = `${Math.max(0, Math.min(left, box.width - told.offsetWidth))}px`;
    const below = at.bottom + told.offsetHeight + 12 < innerHeight;
    told.style.top = `${(below ? at.bottom + 4 : at.top - told.offsetHeight - 4) - box.top}px`;
  };
  const reach = (piece) => {
    for (const other of all(chart)) other.setAttribute("tabindex", other === piece ? "0" : "-1");
  };
  reach(all(chart)[0]);
  chart.addEventListener("mouseover", (event) => pieceAt(event) && say(pieceAt(event)));
  chart.addEventListener("mouseleave", () => {
    const focused = document.activeElement.closest(".piece");
    if (chart.contains(focused)) say(focused);
    else told.hidden = true;
  });
  chart.addEventListener("focusin", (event) => {
    const piece = pieceAt(event);
    if (!piece) return;
    reach(piece);
    say(piece);
    told.scrollIntoView({ block: "nearest" });
  });
  chart.addEventListener("focusout", () => (told.hidden = true));
  chart.addEventListener("click", (event) => {
    const piece = pieceAt(event);
    if (!piece) return;
    event.preventDefault();
    piece.focus({ preventScroll: true });
    say(piece);
  });
  chart.addEventListener("keydown", (event) => {
    const piece = pieceAt(event);
    if (!piece) return;
    if (event.key === "Escape") told.hidden = true;
    const rows = [...chart.querySelectorAll(chart.dataset.tells)].map(all);
    const full = rows.filter((row) => row.length > 0);
    const here = full.findIndex((row) => row.includes(piece));
    const middle = (one) => one.getBoundingClientRect().left + one.getBoundingClientRect().width / 2;
    const near = (row) => row && row.reduce((a, b) => (Math.abs(middle(a) - middle(piece)) <= Math.abs(middle(b) - middle(piece)) ? a : b));
    const next = {
      ArrowRight: () => all(chart)[all(chart).indexOf(piece) + 1],
      ArrowLeft: () => all(chart)[all(chart).indexOf(piece) - 1],
      ArrowDown: () => near(full[here + 1]),
      ArrowUp: () => near(full[here - 1]),
      Home: () => full[here][0],
      End: () => full[here].at(-1),
    }[event.key];
    if (!next) return;
    event.preventDefault();
    const other = next();
    if (other) other.focus();
  });
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

// A filter menu applies when it changes; buttons copy a text or print the page. All may be newer than this script's
// start.
function wire() {
  document.addEventListener("change", ({ target }) => {
    if (target.matches("select[data-submits]")) target.form.requestSubmit();
  });
  document.addEventListener("click", async ({ target }) => {
    if (target.closest("button[data-prints]")) window.print();
    const button = target.closest("button[data-copies]");
    if (!button) return;
    const text = document.querySelector(button.dataset.copies);
    text.select();
    // Only a secure page may write to the clipboard; elsewhere the selection is copied.
    if (navigator.clipboard) await navigator.clipboard.writeText(text.value).catch(() => document.execCommand("copy"));
    else document.execCommand("copy");
    button.textContent = "Copied";
  });
}

// What works by this script alone is shown by it; charts that are new answer, too.
const charts = new WeakSet();
function show() {
  for (const chart of document.querySelectorAll("[data-tells]")) {
    if (!charts.has(chart)) tell(chart);
    charts.add(chart);
  }
  for (const button of document.querySelectorAll("button[data-prints], button[data-copies]")) button.hidden = false;
}

renew();
drop();
wire();
show();
