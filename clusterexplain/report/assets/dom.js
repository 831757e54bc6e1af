// Elements, numbers, clipboard, downloads. Text from data becomes text nodes, never markup.

const PAGE = JSON.parse(document.getElementById("page").textContent);
const NONE = "\u2013";
const BY_HAND = "This browser does not let the page copy. The text is selected: copy it with Ctrl+C or \u2318C.";

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

function missing(value) {
  return value === null || value === undefined || Number.isNaN(value);
}

function number(value, format) {
  if (missing(value)) return NONE;
  if (format === "" || format === "d") return String(value);
  if (format === "%") return rounded(100 * value, 0) + " %";
  const text = rounded(value, Number(format.match(/\.(\d)f/)[1]));
  return format[0] === "+" && Number(text) > 0 ? "+" + text : text;
}

// What rounds to zero has no sign.
function rounded(value, digits) {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text;
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

// A button that copies, and says beside itself whether it did.
function copier(label, text) {
  const told = el("span", { class: "told" });
  const press = button(label, async () => {
    const done = (await written(text)) || byHand(told, text);
    if (done) {
      told.replaceChildren("Copied.");
      press.focus();
    }
    say(done ? "Copied." : BY_HAND);
  });
  return [press, told];
}

async function written(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

// The text, selected: copied in the old way, or left to the reader.
function byHand(told, text) {
  const area = el("textarea", { readonly: true, rows: 2, "aria-label": "Text to copy" }, text);
  told.replaceChildren(BY_HAND, area);
  area.focus();
  area.select();
  return document.execCommand?.("copy") ?? false;
}

function save(name, url) {
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  say(`Saved ${name}.`);
}

// What a file about a sample is called, on every system: an id that cannot be kept whole is told apart by its place.
function fileStem(id, place) {
  const plain = id.normalize("NFC").replace(/[^\p{L}\p{M}\p{N}_.-]+/gu, "-").replace(/^[-.]+/, "");
  const kept = Array.from(plain).slice(0, 40).join("");
  return kept && kept === id ? id : `${kept || "sample"}-${place}`;
}

function fileName(stem, title, kind) {
  const words = title.toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 80).replace(/^-|-$/g, "");
  return `${stem ? stem + "-" : ""}${words}.${kind}`;
}

// A cell that a spreadsheet would run as a formula is told that it is text.
function csvCell(value) {
  if (value === null || value === undefined) return "";
  const runs = typeof value === "string" && /^[=+\-@\t\r\n]/.test(value) && !/^-\d+(\.\d+)?(e[+-]?\d+)?$/i.test(value);
  const text = runs ? "'" + value : String(value);
  return /[",;\t\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
}

function saveCsv(name, columns, records) {
  const lines = [columns.map(([, title]) => csvCell(title)), ...records.map((row) => columns.map(([field]) => csvCell(row[field])))];
  const text = lines.map((line) => line.join(",")).join("\r\n");
  save(name, "data:text/csv;charset=utf-8," + encodeURIComponent(text.toWellFormed ? text.toWellFormed() : text));
}
