// Tables whose columns sort; long ones start short.

const SHORT = 12;

// columns: [field, title, format, cell?]; cell(row) makes the content instead of the formatted field.
function sortable(columns, records, caption, short = SHORT) {
  let order = null, whole = false;
  const body = el("tbody"), foot = el("p", { class: "more" });
  const heads = columns.map(([field, title], index) => {
    const head = el("th", { scope: "col", "aria-sort": "none" });
    head.append(button(title, () => {
      order = { index, down: order && order.index === index ? !order.down : records.some((row) => typeof row[field] === "number") };
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
      ? button(whole ? `Show the first ${short}` : `Show all ${records.length}`, unfold)
      : "");
  }
  // The pressed button is gone then: the focus moves to the first row that is new, or to the button in its place.
  function unfold() {
    whole = !whole;
    fill();
    const row = body.rows[short];
    row?.setAttribute("tabindex", "-1");
    (row ? row.querySelector("button") ?? row : foot.querySelector("button")).focus();
  }
  fill();
  const table = el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, heads)), body);
  return el("div", { class: "table", tabindex: "0", role: "group", "aria-label": caption }, table, foot);
}

// Numbers before text, what is missing last in both directions, equals in their order.
function sorted(records, field, down) {
  const sign = down ? -1 : 1;
  return records.map((row, index) => [row, index]).sort(([a, i], [b, j]) => {
    const [x, y] = [a[field], b[field]];
    if (missing(x) || missing(y)) return missing(x) - missing(y) || i - j;
    return sign * compared(x, y) || i - j;
  }).map(([row]) => row);
}

function compared(x, y) {
  const [first, second] = [typeof x === "number", typeof y === "number"];
  if (first && second) return x === y ? 0 : x - y;
  return first === second ? String(x).localeCompare(String(y), "en", { numeric: true }) : second - first;
}
