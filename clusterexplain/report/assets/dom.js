// Elements, numbers, clipboard, downloads. Text from data becomes text nodes, never markup.

const PAGE = JSON.parse(document.getElementById("page").textContent);
const NONE = "\u2013";

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) if (child !== null && child !== undefined) node.append(child);
  return node;
}

// A piece of text from data: isolated, so that right-to-left marks stay inside it; long ones are cut, the whole is the title.
function datum(text, limit = 60) {
  const whole = String(text), letters = Array.from(whole);
  const cut = letters.length > limit;
  return el("bdi", { title: cut ? letters.slice(0, 500).join("") : null }, cut ? letters.slice(0, limit).join("") + "\u2026" : whole);
}

function number(value, format) {
  if (value === null || value === undefined || Number.isNaN(value)) return NONE;
  if (format === "") return String(value);
  if (format === "d") return String(value);
  if (format === "%") return (100 * value).toFixed(0) + " %";
  const digits = Number(format.match(/\.(\d)f/)[1]), sign = format[0] === "+" && value >= 0 ? "+" : "";
  return sign + value.toFixed(digits);
}

function change(amount, percent) {
  return number(amount, "+.4f") + (percent === null ? "" : ` (${number(percent, "+.1f")} %)`);
}

function button(label, act, attributes) {
  return el("button", { type: "button", ...attributes, on: { click: act } }, label);
}

function say(text) {
  document.getElementById("said").textContent = text;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el("textarea", { "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say("Copied.");
}

function save(name, url) {
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  say(`Saved ${name}.`);
}

// A cell that a spreadsheet would run as a formula is told that it is text.
function csvCell(value) {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? "'" + value : String(value);
  return /[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
}

function saveCsv(name, columns, records) {
  const lines = [columns.map(([, title]) => csvCell(title)), ...records.map((row) => columns.map(([field]) => csvCell(row[field])))];
  const text = lines.map((line) => line.join(",")).join("\r\n");
  save(name, "data:text/csv;charset=utf-8," + encodeURIComponent(text.toWellFormed ? text.toWellFormed() : text));
}
