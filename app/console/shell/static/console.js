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

// A page that gets no answers says so: its bars stand still, while its times go on.
let answeredAt = new Date();
let unanswered = 0;
const stale = document.getElementById("stale");

function isPoll(event) {
  return Boolean(event.detail.elt?.dataset.version);
}

function answered() {
  answeredAt = new Date();
  unanswered = 0;
  stale.hidden = true;
}

function failed(event) {
  if (!isPoll(event)) return;
  unanswered += 1;
  if (unanswered < 2) return;
  const status = event.detail.xhr?.status;
  const why = status === 429 ? "your key has asked too often" : status ? `the server answered ${status}` : "the server does not answer";
  const text = `Not up to date since ${answeredAt.toLocaleTimeString()}: ${why}. It is tried again each second.`;
  if (stale.textContent !== text) stale.textContent = text;
  stale.hidden = false;
}
document.addEventListener("htmx:sendError", failed);
document.addEventListener("htmx:responseError", failed);
document.addEventListener("htmx:timeout", failed);
document.addEventListener("htmx:afterRequest", (event) => {
  if (isPoll(event) && event.detail.successful) answered();
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
document.addEventListener("htmx:afterSwap", count);

// Several are confirmed in a dialog that says how many; it holds on to those that were chosen then.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-several]");
  const dialog = opener && document.getElementById("several");
  if (!dialog) return;
  event.preventDefault();
  const ids = [...document.querySelectorAll(`${ROWS}:checked`)].map((box) => box.value);
  const number = ids.length === 1 ? "1 batch" : `${ids.length} batches`;
  dialog.querySelector("h2").textContent = `${opener.dataset.several} ${number}?`;
  dialog.querySelector("p").textContent = opener.dataset.sentence;
  dialog.querySelector("[name=action]").value = opener.value;
  dialog.querySelector("[data-ids]").replaceChildren(
    ...ids.map((id) => Object.assign(document.createElement("input"), { type: "hidden", name: "id", value: id })),
  );
  dialog.showModal();
});

// What a live part has, so that it is only sent again where it has changed.
document.addEventListener("htmx:configRequest", (event) => {
  const version = event.detail.elt.dataset.version;
  if (version) event.detail.parameters.v = version;
});

// Not under the hands of whoever is answering a dialog, has begun to write, or reads why what was
// written was refused: the page that says so is the only place where that text still stands.
const isWritten = (field) => field.value !== field.defaultValue;
const isHeld = (node) =>
  (node.tagName === "DIALOG" && node.open) ||
  node.matches?.("[data-refused]") ||
  (node.matches?.("[data-kept]") && [...node.querySelectorAll("textarea")].some(isWritten));
Idiomorph.defaults.callbacks.beforeNodeMorphed = (old) => !isHeld(old);
Idiomorph.defaults.callbacks.beforeNodeRemoved = (old) => !isHeld(old);
// What somebody has ticked stays ticked, and what they have opened stays open.
Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) =>
  name !== "checked" && !(name === "open" && node.tagName === "DETAILS");

// The answer to a form that shows what is at another address: loaded anew, it is that, and sends
// nothing again.
const shown = document.querySelector("[data-address]");
if (shown) history.replaceState(null, "", shown.dataset.address);

// What is sent once: a second click in the same moment sends nothing.
const MOMENT = 1500;
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-once]")) return;
  if (Date.now() - Number(form.dataset.sentAt || 0) < MOMENT) event.preventDefault();
  else form.dataset.sentAt = Date.now();
});

// Of what can be chosen, what there is to know.
document.addEventListener("change", (event) => {
  if (!event.target.dataset.opens) return;
  for (const each of document.querySelectorAll("[data-help]")) {
    each.open = each.dataset.help === event.target.value;
  }
});
