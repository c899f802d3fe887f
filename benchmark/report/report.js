"use strict";
// Filters and theme. The state is the URL's fragment, e.g. #device=host&model=pocketclip_nano&theme=dark&at=section,
// so that a link shows what its sender saw. Without this script everything is shown.
(() => {
  const FILTERS = ["device", "model"];
  const root = document.documentElement;
  const darkSystem = matchMedia("(prefers-color-scheme: dark)");

  const parse = () => new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  let state = parse();

  const save = () => {
    const text = state.toString();
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  };

  const applyTheme = () => {
    const theme = state.get("theme");
    if (theme === "dark" || theme === "light") root.dataset.theme = theme;
    else delete root.dataset.theme;
  };

  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : darkSystem.matches);

  const start = () => {
    const form = document.querySelector("form.controls");
    const toggle = form.querySelector(".theme");
    const count = form.querySelector(".count");
    const reset = form.querySelector(".reset");
    const nothing = document.querySelector(".nothing");
    const boxes = [...form.querySelectorAll("input[type=checkbox]")];
    const parts = [...document.querySelectorAll("[data-device], [data-model]")];
    const rows = [...document.querySelectorAll("tbody tr[data-row]")];

    const chosen = (name) => boxes.filter((box) => box.name === name && box.checked).map((box) => box.value);

    const hideOthers = () => {
      const wanted = FILTERS.map((name) => [name, chosen(name)]).filter(([, values]) => values.length > 0);
      for (const part of parts) {
        part.hidden = wanted.some(([name, values]) => name in part.dataset && !values.includes(part.dataset[name]));
      }
      const shown = rows.filter((row) => !row.closest("[hidden]")).length;
      count.textContent = `${shown} of ${rows.length} rows shown`;
      nothing.hidden = shown > 0 || rows.length === 0;
      reset.hidden = wanted.length === 0;
    };

    const showState = () => {
      applyTheme();
      toggle.setAttribute("aria-pressed", String(isDark()));
      // A value that this page does not have, from a link to another report, has no box and selects nothing.
      for (const box of boxes) box.checked = state.getAll(box.name).includes(box.value);
      hideOthers();
    };

    const keepChoice = () => {
      for (const name of FILTERS) {
        state.delete(name);
        for (const value of chosen(name)) state.append(name, value);
      }
      save();
      hideOthers();
    };

    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", keepChoice);
    reset.addEventListener("click", () => {
      for (const box of boxes) box.checked = false;
      keepChoice();
      boxes[0].focus();
    });
    toggle.addEventListener("click", () => {
      state.set("theme", isDark() ? "light" : "dark");
      save();
      showState();
    });
    darkSystem.addEventListener("change", showState);
    addEventListener("hashchange", () => {
      if (location.hash.includes("=")) {
        state = parse();
        showState();
      } else if (location.hash) {
        // A link within the page took the place of the state: put it back beside it.
        state.set("at", location.hash.slice(1));
        save();
      }
    });

    let unfolded = [];
    addEventListener("beforeprint", () => {
      unfolded = [...document.querySelectorAll("details:not([open])")];
      for (const details of unfolded) details.open = true;
    });
    addEventListener("afterprint", () => {
      for (const details of unfolded) details.open = false;
    });

    form.hidden = false;
    showState();
    if (state.has("at")) document.getElementById(state.get("at"))?.scrollIntoView();
  };

  // At once, so that the page does not flash in the other theme.
  applyTheme();
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
