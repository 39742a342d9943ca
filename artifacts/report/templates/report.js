"use strict";

const drawn = JSON.parse(document.getElementById("drawn").textContent);
const places = [...document.querySelectorAll(".plot")];
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function draw(scheme) {
  for (const place of places) {
    const plot = drawn.plots[Number(place.dataset.plot)];
    const layout = { ...plot.layout, template: drawn.templates[scheme] };
    Plotly.react(place, plot.data, layout, { displayModeBar: false, responsive: true });
  }
}

function drawForScreen() {
  draw(dark.matches ? "dark" : "light");
}

drawForScreen();
dark.addEventListener("change", drawForScreen);

// Paper is white and has a fixed width.
window.addEventListener("beforeprint", () => {
  draw("light");
  for (const place of places) {
    const width = place.closest("figure.half") ? 330 : 680;
    Plotly.relayout(place, { width, autosize: false });
  }
  for (const folded of document.querySelectorAll("details")) folded.open = true;
});
window.addEventListener("afterprint", () => {
  for (const place of places) Plotly.relayout(place, { width: null, autosize: true });
  drawForScreen();
});

// Numbers by what they are, words by the alphabet, cells without either at the end.
function compare(a, b, sign) {
  if (a === "" || b === "") return (a === "") - (b === "");
  const [x, y] = [Number(a), Number(b)];
  if (!Number.isNaN(x) && !Number.isNaN(y)) return sign * (x - y);
  return sign * a.localeCompare(b, "en", { numeric: true });
}

function sort(table, column, direction) {
  const value = (row) => {
    const cell = row.cells[column];
    return cell.dataset.order ?? cell.textContent.trim();
  };
  const sign = direction === "ascending" ? 1 : -1;
  const body = table.tBodies[0];
  const rows = [...body.rows].sort((a, b) => compare(value(a), value(b), sign));
  body.append(...rows);
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const direction = head.ariaSort === "ascending" ? "descending" : "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", direction);
      sort(table, column, direction);
    });
  });
}
