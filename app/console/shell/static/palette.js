// The palette: `/` opens it on any page, what is typed is searched for, all by keyboard.
"use strict";

{
  const palette = document.getElementById("palette");
  const field = palette?.querySelector("input");
  // Somebody was quicker than the answer: they are led on once it is there.
  let hurried = false;

  const options = () => [...palette.querySelectorAll("[role=option]")];
  const chosen = () => palette.querySelector("[role=option][aria-selected=true]");
  const isAnswered = () =>
    palette.querySelector("[role=listbox]")?.dataset.text === field.value.trim();

  function choose(option) {
    for (const each of options()) each.setAttribute("aria-selected", String(each === option));
    field.setAttribute("aria-expanded", String(Boolean(option)));
    if (option) {
      field.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else {
      field.removeAttribute("aria-activedescendant");
    }
  }

  function open() {
    hurried = false;
    field.value = "";
    palette.showModal();
    field.focus();
    htmx.trigger(field, "opened");
  }

  const STEPS_BY_KEY = { ArrowDown: 1, ArrowUp: -1 };

  function onKey(event) {
    const step = STEPS_BY_KEY[event.key];
    if (step) {
      event.preventDefault();
      const all = options();
      if (all.length) choose(all[(all.indexOf(chosen()) + step + all.length) % all.length]);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (isAnswered()) chosen()?.click();
      else hurried = true;
    }
  }

  if (palette) {
    document.addEventListener("keydown", (event) => {
      const writing = event.target.closest("input:not([type=checkbox]), textarea, select");
      if (event.key !== "/" || writing || event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.querySelector("dialog[open]")) return;
      event.preventDefault();
      open();
    });
    field.addEventListener("keydown", onKey);
    palette.addEventListener("htmx:afterSwap", () => {
      choose(chosen());
      if (hurried && isAnswered()) chosen().click();
    });
    // Beside it is out of it.
    palette.addEventListener("click", (event) => {
      if (event.target === palette) palette.close();
    });
  }
}
