"use strict";
// Filters, theme and the order of rows. The state is the URL's fragment, e.g. #device=host&model=pocketclip_nano&theme=dark&at=section,
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

  const figure = (cell) => {
    // "−1.40", "+5.0 %", "1,234 ms", "< 0.0001"; what has no figure comes last whatever the order.
    const found = cell && cell.textContent.replaceAll("\u2212", "-").replaceAll(",", "").match(/[-+]?\d+(\.\d+)?/);
    return found ? Number(found[0]) : NaN;
  };
  const words = (cell) => (cell ? (cell.querySelector(".value") ?? cell).textContent.trim() : "");

  const sortRows = (table, heading) => {
    const headings = [...heading.parentElement.cells];
    const column = headings.indexOf(heading);
    const order = { ascending: "descending", descending: "none" }[heading.getAttribute("aria-sort")] ?? "ascending";
    for (const other of headings) other.setAttribute("aria-sort", other === heading ? order : "none");
    const body = table.tBodies[0];
    const sign = order === "descending" ? -1 : 1;
    const numeric = heading.classList.contains("n");
    const key = (row) => {
      const cell = row.cells[column];
      if (cell?.classList.contains("instead")) return numeric ? NaN : "";
      return numeric ? figure(cell?.querySelector(".value")) : words(cell);
    };
    const place = (row) => Number(row.dataset.place);
    const compare = (one, other) => {
      if (order === "none") return place(one.row) - place(other.row);
      const [first, second] = [one.key, other.key];
      if (!numeric) return sign * first.localeCompare(second, "en", { numeric: true }) || place(one.row) - place(other.row);
      if (Number.isNaN(first) || Number.isNaN(second)) return Number.isNaN(first) - Number.isNaN(second) || place(one.row) - place(other.row);
      return sign * (first - second) || place(one.row) - place(other.row);
    };
    body.append(...[...body.rows].map((row) => ({ row, key: key(row) })).sort(compare).map((each) => each.row));
  };

  const makeSortable = (table) => {
    if (table.tBodies[0].rows.length < 2) return;
    [...table.tBodies[0].rows].forEach((row, place) => { row.dataset.place = place; });
    for (const heading of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      heading.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => sortRows(table, heading));
    }
  };

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

    for (const table of document.querySelectorAll("table.cards")) makeSortable(table);

    form.hidden = false;
    showState();
    if (state.has("at")) document.getElementById(state.get("at"))?.scrollIntoView();
  };

  // At once, so that the page does not flash in the other theme.
  applyTheme();
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
