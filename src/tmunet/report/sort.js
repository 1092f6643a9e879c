"use strict";
for (const heading of document.querySelectorAll("#per-image thead th")) {
  const link = document.createElement("a"); // not a button: headings of printed pages leave buttons out
  link.href = "#per-image";
  link.append(...heading.childNodes);
  heading.append(link);
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const sign = heading.ariaSort === "ascending" ? -1 : 1;
    for (const other of heading.parentElement.children) other.ariaSort = null;
    heading.ariaSort = sign > 0 ? "ascending" : "descending";
    const text = (row) => row.cells[heading.cellIndex].textContent;
    const missing = (row) => text(row) === "–"; // last in both directions
    const compare = (a, b) =>
      heading.matches(".value") ? text(a) - text(b) : text(a).localeCompare(text(b), "en", { numeric: true });
    const body = document.querySelector("#per-image tbody");
    body.append(...[...body.rows].sort((a, b) => missing(a) - missing(b) || sign * compare(a, b)));
  });
}
