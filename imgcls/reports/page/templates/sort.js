"use strict";
(function () {
  function valueOf(row, column) {
    var cell = row.cells[column];
    var text = cell.dataset.value === undefined ? cell.textContent.trim() : cell.dataset.value;
    var number = Number(text);
    return text === "" ? null : Number.isNaN(number) ? text : number;
  }
  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b));
  }
  function sortBy(table, header, column) {
    var descending = header.getAttribute("aria-sort") === "ascending";
    var body = table.tBodies[0];
    Array.from(body.rows)
      .map(function (row) { return { row: row, value: valueOf(row, column) }; })
      .sort(function (a, b) {
        if (a.value === null || b.value === null) return (a.value === null) - (b.value === null);
        return (descending ? -1 : 1) * compare(a.value, b.value);
      })
      .forEach(function (entry) { body.appendChild(entry.row); });
    table.querySelectorAll("th[aria-sort]").forEach(function (other) { other.removeAttribute("aria-sort"); });
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  }
  document.querySelectorAll("table.sortable").forEach(function (table) {
    Array.from(table.tHead.rows[0].cells).forEach(function (header, column) {
      var button = document.createElement("button");
      button.type = "button";
      button.title = "Sort by this column";
      while (header.firstChild) button.appendChild(header.firstChild);
      button.addEventListener("click", function () { sortBy(table, header, column); });
      header.appendChild(button);
    });
  });
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (box) { box.open = true; });
  });
})();
