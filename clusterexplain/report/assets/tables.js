// Tables whose columns sort; long ones start short.

const SHORT = 12;

// columns: [field, title, format, cell?]; cell(row) makes the content instead of the formatted field.
function sortable(columns, records, caption, short = SHORT) {
  let order = null, whole = false;
  const body = el("tbody"), foot = el("p", { class: "more" });
  const heads = columns.map(([field, title], index) => {
    const head = el("th", { scope: "col", "aria-sort": "none" });
    head.append(button(title, () => {
      order = { index, down: order && order.index === index ? !order.down : typeof records[0]?.[field] === "number" };
      fill();
    }));
    return head;
  });
  function fill() {
    heads.forEach((head, index) =>
      head.setAttribute("aria-sort", !order || order.index !== index ? "none" : order.down ? "descending" : "ascending"));
    const rows = order ? sorted(records, columns[order.index][0], order.down) : records;
    body.replaceChildren(...(whole ? rows : rows.slice(0, short)).map((row) =>
      el("tr", { "data-id": row.id }, columns.map(([field, , format, cell]) =>
        el("td", { class: typeof row[field] === "number" && !cell ? "number" : null },
          cell ? cell(row) : format === "" ? datum(row[field] ?? NONE) : number(row[field], format))))));
    foot.replaceChildren(records.length > short
      ? button(whole ? `Show the first ${short}` : `Show all ${records.length}`, () => { whole = !whole; fill(); })
      : "");
  }
  fill();
  const table = el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, heads)), body);
  return el("div", { class: "table", tabindex: "0", role: "group", "aria-label": caption }, table, foot);
}

function sorted(records, field, down) {
  const sign = down ? -1 : 1;
  return records.map((row, index) => [row, index]).sort(([a, i], [b, j]) => {
    const [x, y] = [a[field], b[field]];
    if (x === null || x === undefined) return 1;
    if (y === null || y === undefined) return -1;
    const less = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true });
    return sign * less || i - j;
  }).map(([row]) => row);
}
