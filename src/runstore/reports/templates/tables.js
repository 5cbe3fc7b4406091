// Tables of numbers whose rows can be put in order by a column: up, down, and as they were.
const tables = (() => {
  const { button } = elements;

  // What a cell is ordered by: its number, which stands first in it; the text of a head.
  function weight(row, column) {
    const text = row.cells[column].textContent;
    return column ? parseFloat(text.replaceAll(",", "")) : text.trim().toLowerCase();
  }

  // A row without a number comes last, whichever way the others are.
  function compared(one, other, sign) {
    if (Number.isNaN(one) || Number.isNaN(other)) {
      return Number(Number.isNaN(one)) - Number(Number.isNaN(other));
    }
    return one < other ? -sign : one > other ? sign : 0;
  }

  // What is moved: each metric is a body of its own; slices are rows of the body of their metric.
  function lists(table) {
    const bodies = [...table.tBodies];
    if (!table.querySelector("th[scope=rowgroup]")) {
      return [{ place: table, moved: bodies, rowOf: (body) => body.rows[0] }];
    }
    return bodies.map((body) => {
      const moved = [...body.rows].filter((row) => row.cells.length === table.tHead.rows[0].cells.length);
      return { place: body, moved, rowOf: (row) => row, last: body.querySelector(".rest")?.parentElement };
    });
  }

  function order(list, column, sign) {
    const found = [...list.moved];
    if (sign) {
      const weights = new Map(found.map((one) => [one, weight(list.rowOf(one), column)]));
      found.sort((one, other) => compared(weights.get(one), weights.get(other), sign));
    }
    list.place.append(...found, ...(list.last ? [list.last] : []));
  }

  function sortable(table) {
    const found = lists(table);
    const heads = [...table.tHead.rows[0].cells];
    if (found.every((list) => list.moved.length < 2)) {
      return;
    }
    for (const head of heads.filter((one) => !one.className)) {
      const act = () => {
        const before = head.getAttribute("aria-sort");
        heads.forEach((one) => one.removeAttribute("aria-sort"));
        const sign = before === "ascending" ? -1 : before === "descending" ? 0 : 1;
        if (sign) {
          head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
        }
        found.forEach((list) => order(list, head.cellIndex, sign));
      };
      head.replaceChildren(button("sort", head.textContent, act));
    }
  }

  return { sortable };
})();
