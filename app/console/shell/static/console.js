// What the pages do beyond links and forms. All of it can be missing: they can be read without.
"use strict";

// Times are written relative to now, and now goes on.
const STEPS = [[60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"], [Infinity, 86400, "d"]];

function spell(seconds) {
  const [, unit, name] = STEPS.find(([below]) => seconds < below);
  return `${Math.floor(seconds / unit)} ${name}`;
}

function tick() {
  if (document.hidden) return;
  for (const time of document.querySelectorAll("time[data-passing]")) {
    const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
    const text = seconds <= -1 ? `in ${spell(-seconds)}` : `${spell(Math.max(0, seconds))} ago`;
    if (time.textContent !== text) time.textContent = text;
  }
}
setInterval(tick, 1000);

// A page that nobody looks at asks for nothing.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden) event.preventDefault();
});

// `/` searches, wherever one is.
document.addEventListener("keydown", (event) => {
  const writing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (event.key !== "/" || writing || event.ctrlKey || event.metaKey || event.altKey) return;
  const search = document.querySelector("[data-search]");
  if (search) {
    event.preventDefault();
    search.focus();
    search.select();
  }
});

// What loses something is confirmed in a dialog; without this script, on a page.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  const dialog = opener && document.getElementById(opener.dataset.dialog);
  if (dialog) {
    event.preventDefault();
    dialog.showModal();
  }
  const closer = event.target.closest("[data-close]");
  if (closer) closer.closest("dialog").close();
});

const ROWS = "td input[type=checkbox]";

// Rows that are chosen: how many, and all at once.
function count() {
  const chosen = document.querySelectorAll(`${ROWS}:checked`).length;
  for (const each of document.querySelectorAll("[data-chosen]")) {
    each.textContent = chosen ? `${chosen} chosen` : "";
  }
  for (const button of document.querySelectorAll("[data-for-chosen]")) button.disabled = !chosen;
}
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-all]")) {
    for (const box of document.querySelectorAll(ROWS)) {
      box.checked = event.target.checked;
    }
  }
  count();
});
count();

// What a live part has, so that it is only sent again where it has changed.
document.addEventListener("htmx:configRequest", (event) => {
  const version = event.detail.elt.dataset.version;
  if (version) event.detail.parameters.v = version;
});

// Not under the hands of whoever is answering a dialog.
Idiomorph.defaults.callbacks.beforeNodeMorphed = (old) => !(old.tagName === "DIALOG" && old.open);
Idiomorph.defaults.callbacks.beforeNodeRemoved = (old) => !(old.tagName === "DIALOG" && old.open);
// What somebody has ticked stays ticked.
Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name) => name !== "checked";
