// One chart: Vega-Lite drawn as SVG, expressions interpreted and never compiled, its table, its picture.

const ROWS = new Map(PAGE.rows.id.map((id, index) => [id, index]));

function embedOptions() {
  return { actions: false, ast: true, renderer: "svg", mode: "vega-lite", tooltip: showTooltip, logLevel: 1 };
}

function specOf(panel) {
  const spec = structuredClone(PAGE.specs[panel.spec]);
  spec.datasets = Object.fromEntries(panel.data.map((name, index) => [`d${index}`, structuredClone(PAGE.datasets[name])]));
  delete spec.title; // the heading of the figure says it
  spec.width = "container";
  spec.autosize = { type: "fit-x", contains: "padding" };
  return spec;
}

// Fills a figure: heading with buttons, the chart, its table. Returns the promise of the Vega view, null if none is drawn.
function drawChart(figure, panel, title, { note, stem = "" } = {}) {
  const plot = el("div", { class: "plot" }), table = el("div", { class: "beside", hidden: true });
  const tools = el("span", { class: "tools" }, tableButton(table, panel, title, stem), pictureButton(figure, title, stem));
  figure.replaceChildren(el("figcaption", {}, el("h3", {}, title), tools), ...(note ? [el("p", { class: "note" }, datum(note, 1000))] : []), plot, table);
  if (figure.chart) figure.chart.then((old) => old?.finalize());
  figure.chart = embed(plot, panel);
  return figure.chart;
}

async function embed(plot, panel) {
  try {
    const { view } = await vegaEmbed(plot, specOf(panel), embedOptions());
    hush(plot);
    return view;
  } catch (error) {
    console.error(error);
    const instead = panel.table === null ? "" : " The table holds its numbers.";
    plot.replaceChildren(el("p", { class: "note" }, `This chart could not be drawn in this browser.${instead}`));
    return null;
  }
}

function tableButton(place, panel, title, stem) {
  const records = panel.table === null ? [] : PAGE.datasets[panel.table];
  if (!records.length) return null;
  const toggle = button("Table", () => {
    if (!place.childElementCount) {
      place.append(sortable(panel.columns, records, title), button("Save CSV", () => saveCsv(fileName(stem, title, "csv"), panel.columns, records)));
    }
    place.hidden = !place.hidden;
    toggle.setAttribute("aria-expanded", String(!place.hidden));
  }, { "aria-expanded": "false", "aria-label": `Table: ${title}` });
  return toggle;
}

function pictureButton(figure, title, stem) {
  const told = el("span", { class: "told" });
  const press = button("Save PNG", async () => {
    told.textContent = "";
    try {
      save(fileName(stem, title, "png"), await pictureOf(await figure.chart));
    } catch {
      told.textContent = "No picture could be made in this browser.";
      say(told.textContent);
    }
  }, { "aria-label": `Save PNG: ${title}` });
  return [press, told];
}

// Marks without words, such as the corners of a window, say nothing to a screen reader.
function hush(plot) {
  for (const mark of plot.querySelectorAll('[role^="graphics-"]:not([aria-label])')) {
    mark.removeAttribute("role");
    mark.removeAttribute("aria-roledescription");
    mark.setAttribute("aria-hidden", "true");
  }
}

async function pictureOf(view) {
  view.background("#ffffff");
  try {
    return await view.toImageURL("png", 2);
  } finally {
    view.background(null);
    view.run();
  }
}

// What an example is: its picture or its text.
function face(id) {
  const index = ROWS.get(String(id));
  if (index === undefined) return null;
  if (PAGE.rows.image.length && PAGE.rows.image[index]) return el("img", { class: "thumb", src: PAGE.rows.image[index], alt: "" });
  return PAGE.rows.text.length && PAGE.rows.text[index] ? el("span", { class: "snippet" }, datum(PAGE.rows.text[index], 200)) : null;
}

function showTooltip(handler, event, item, value) {
  const box = document.getElementById("tooltip");
  if (value === null || value === undefined || value === "") {
    box.hidden = true;
    return;
  }
  const entries = typeof value === "object" ? Object.entries(value).filter(([name]) => name !== "image" && name !== "row") : [["", value]];
  const shown = item && item.datum && item.datum.id !== undefined ? face(item.datum.id) : null;
  const lines = entries.map(([name, text]) => [el("dt", {}, name), el("dd", {}, datum(text, 120))]);
  box.replaceChildren(...(shown ? [shown] : []), el("dl", {}, lines));
  box.hidden = false;
  const { clientWidth, clientHeight } = document.documentElement;
  box.style.left = `${Math.max(4, Math.min(event.clientX + 14, clientWidth - box.offsetWidth - 4))}px`;
  box.style.top = `${Math.max(4, Math.min(event.clientY + 14, clientHeight - box.offsetHeight - 4))}px`;
}
