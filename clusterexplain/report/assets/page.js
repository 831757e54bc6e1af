// The page: one chosen sample, in the address; every panel follows it.

const QUERIES = PAGE.queries, ANSWERS = PAGE.answers.answers;
const CHOSEN = new Map(QUERIES.map((query, index) => [query.id, index]));
const state = { query: -1, window: null, order: QUERIES.map((_, index) => index) };
const at = (name) => document.getElementById(name);

let cameFrom = null; // what had the focus before an offer took it

function choose(index, options) {
  const held = document.activeElement, leaving = at("offer").contains(held);
  at("offer").hidden = true;
  if (index !== state.query) show(index, options);
  if (leaving || !held?.isConnected) at("title").focus();
}

function show(index, { push = true } = {}) {
  state.query = index;
  state.window = null;
  const query = QUERIES[index];
  if (push) history.replaceState(null, "", "#sample=" + encodeURIComponent(query.id.toWellFormed ? query.id.toWellFormed() : query.id));
  at("pick").value = query.id;
  at("tooltip").hidden = true;
  showAnswer(query, ANSWERS[index]);
  showLists();
  showCharts(query);
  showConflicts(query);
  say(`${query.title} is shown.`);
}

function fromAddress() {
  const asked = /^#sample=(.*)$/.exec(location.hash);
  let id = null;
  try {
    id = asked && decodeURIComponent(asked[1]);
  } catch {
    id = null;
  }
  choose(CHOSEN.has(id) ? CHOSEN.get(id) : 0, { push: false });
  if (id !== null && !CHOSEN.has(id)) offer(id);
}

// A sample whose rows are not in this file: say so, and give the command.
function offer(id) {
  if (CHOSEN.has(id)) return choose(CHOSEN.get(id));
  const command = reportCommand(id), place = at("offer");
  const words = ROWS.has(id) ? [datum(id), " is a training example, but its answer is not in this file. This command makes a page about it: "]
    : ["There is no sample ", datum(id), " in this file. If it was trained on, this command makes a page about it: "];
  const text = el("p", { tabindex: "-1" }, words, el("code", {}, datum(command, 300)));
  if (!place.contains(document.activeElement)) cameFrom = document.activeElement;
  place.hidden = false;
  place.replaceChildren(text, ...copier("Copy command", command), button("Close", closeOffer));
  text.focus({ preventScroll: true });
  text.scrollIntoView({ block: "center" });
  return undefined;
}

function closeOffer() {
  at("offer").hidden = true;
  (cameFrom?.isConnected && cameFrom !== document.body ? cameFrom : at("title")).focus();
}

function reportCommand(id) {
  const { run, task, flags } = PAGE.words;
  return `clusterexplain report --sample ${quoted(id)}${flags}` + (run ? ` --run ${quoted(run)}` : "") + (task ? ` --task ${quoted(task)}` : "");
}

function quoted(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : "'" + text.replaceAll("'", "'\"'\"'") + "'";
}

function example(id) {
  const shown = face(id);
  return button(shown && shown.tagName === "IMG" ? [shown, el("span", {}, datum(id, 24))] : [datum(id, 24)], () => offer(String(id)), { class: "example", title: `cluster of this example: ${clusterOf(id)}` });
}

function clusterOf(id) {
  const index = ROWS.get(String(id));
  return index === undefined ? NONE : PAGE.names[PAGE.rows.cluster[index]];
}

function showAnswer(query, answer) {
  document.title = `${query.title} \u00b7 clusterexplain`;
  at("title").replaceChildren(datum(query.title, 80));
  const picture = query.image ? el("img", { class: "portrait", src: query.image, alt: `The sample ${query.id}` })
    : query.text ? el("blockquote", {}, datum(query.text, 400)) : null;
  const values = query.values.map(([name, value, mean]) => el("li", {}, datum(name, 40), ` ${number(value, ".4f")} (mean of its cluster ${number(mean, ".4f")})`));
  const badges = query.badges.map((badge) => el("li", { class: `badge ${badge.level}` }, el("b", {}, badge.name), " ", badge.text));
  const exemplars = (title, ids) => ids.length ? el("div", { class: "exemplars" }, el("h3", {}, title), el("p", {}, ids.map((id) => exemplar(query, id)))) : null;
  at("answer").replaceChildren(
    el("div", { class: "opening" }, picture, el("div", {}, el("p", { class: "headline" }, datum(query.headline, 1000)), query.pull ? el("p", {}, datum(query.pull, 1000)) : null)),
    el("ul", { class: "badges" }, badges),
    values.length ? el("div", {}, el("h3", {}, "Where it differs most from its cluster"), el("ul", {}, values)) : null ?? "",
    exemplars(`Typical of ${PAGE.names[answer.cluster] ?? "its cluster"}`, query.own) ?? "",
    exemplars(`Typical of ${PAGE.names[answer.rival] ?? "the other cluster"}, which it is compared with`, query.rival) ?? "",
    query.verify && answerUnchecked() ? el("p", {}, "Not checked. ", el("code", {}, datum(query.verify, 300)), " ", el("span", { class: "tools" }, copier("Copy command", query.verify))) : "");
}

function answerUnchecked() {
  return PAGE.answers.checked === null;
}

function showLists() {
  const query = QUERIES[state.query], answer = ANSWERS[state.query];
  const sought = at("search").value.trim().toLowerCase(), cluster = at("only").value;
  const keep = (row) => {
    const index = ROWS.get(String(row.id));
    const text = [row.id, PAGE.names[row.cluster], PAGE.rows.text.length ? PAGE.rows.text[index] : "", ...(differencesOf(query, row.id) || []).map(([name]) => name)].join(" ").toLowerCase();
    return (!sought || text.includes(sought)) && (!cluster || String(row.cluster) === cluster) && (!state.window || inside(index));
  };
  at("filtered").textContent = state.window ? "Only examples inside the window on the map are listed." : "";
  at("clear").hidden = !state.window;
  [["pulled", answer.pulled_in, 0], ["pushed", answer.pushed_away, 1]].forEach(([name, records, side]) => {
    const kept = records.filter(keep), largest = Math.max(...ANSWERS[state.query].pulled_in.concat(answer.pushed_away).map((row) => Math.abs(row.influence)), 0);
    const title = PAGE.mixed ? `Each ${query.sides[side]}` : `These ${query.sides[side].replace(" ", " it ")}`;
    const columns = [
      ["id", "example", "", (row) => [example(row.id), itself(query, row.id), snippet(query, row)]],
      ["cluster", "cluster", "", (row) => el("span", { class: "name" }, datum(PAGE.names[row.cluster], 40))],
      ["if_removed", "if removed, change of margin (predicted)", "+.4f", (row) => [change(row.if_removed, row.if_removed_percent), bar(row, largest, side)]],
    ];
    const saved = [["id", "id"], ["cluster", "cluster"], ["influence", "influence"], ["if_removed", "if_removed"], ["if_removed_percent", "if_removed_percent"], ["encoder", "encoder"], ["cluster_part", "cluster_part"], ["direct", "direct"]];
    at(name).replaceChildren(
      el("h3", {}, title), el("p", { class: "note" }, kept.length === records.length ? `the ${records.length} strongest` : `${kept.length} of the ${records.length} strongest fit the filters`),
      kept.length ? sortable(columns, kept, title, 10) : el("p", {}, records.length ? "None fits the filters." : "None does."),
      el("p", { class: "tools" }, copier("Copy ids", kept.map((row) => row.id).join("\n")), button("Save CSV", () => saveCsv(fileName(stemOf(query), query.sides[side], "csv"), saved, kept))));
  });
}

function stemOf(query) {
  return fileStem(query.id, QUERIES.indexOf(query) + 1);
}

function inside(index) {
  const { x, y } = state.window;
  const [px, py] = [PAGE.rows.x[index], PAGE.rows.y[index]];
  return px >= Math.min(...x) && px <= Math.max(...x) && py >= Math.min(...y) && py <= Math.max(...y);
}

function itself(query, id) {
  return query.position >= 0 && String(id) === query.id ? el("small", {}, " itself") : null;
}

function differencesOf(query, id) {
  return Object.hasOwn(query.details, id) ? query.details[id] : null;
}

function snippet(query, row) {
  const differs = differencesOf(query, row.id);
  const columns = differs && el("ul", { class: "differs" }, differs.map(([name, value, other, mean]) => el("li", {}, datum(name, 30), ` ${number(value, ".4f")} (sample ${number(other, ".4f")}, its cluster ${number(mean, ".4f")})`)));
  return [textOf(row.id), columns];
}

// The text of an example, where the rows are texts.
function textOf(id, limit = 200) {
  const index = ROWS.get(String(id));
  return PAGE.rows.text.length && PAGE.rows.text[index] ? el("span", { class: "snippet" }, datum(PAGE.rows.text[index], limit)) : null;
}

// An example with what it is: its picture, or its text, or the columns in which it differs from the sample.
function exemplar(query, id) {
  const differs = differencesOf(query, id), text = textOf(id, 80);
  if (PAGE.rows.image.length || !(differs || text)) return example(id);
  const columns = differs && el("span", { class: "snippet" }, differs.map(([name, value], index) => [index ? ", " : "", datum(name, 24), ` ${number(value, ".4f")}`]));
  return el("span", { class: "exemplar" }, example(id), text, columns);
}

function bar(row, largest, side) {
  const share = largest > 0 ? (100 * Math.abs(row.influence)) / largest : 0;
  const inner = el("span", { class: side ? "push" : "pull" });
  inner.style.width = `${share.toFixed(1)}%`;
  return el("span", { class: "bar", "aria-hidden": "true" }, inner);
}

function showCharts(query) {
  const figures = query.charts, stem = stemOf(query);
  drawChart(at("map"), figures.map, "Map", { note: [PAGE.words.map.replaceAll("\n", "; "), query.misplaced].filter(Boolean).join("; "), stem }).then((view) => view && listenToMap(view));
  drawChart(at("bars"), figures.influence, "Strongest pulls and pushes, in three parts", { stem });
  drawChart(at("waterfall"), figures.waterfall, "What if its strongest pullers were removed, one after the other?", { note: figures.flip, stem });
  const names = Object.keys(query.groups), by = names.includes(at("by").value) ? at("by").value : names[0];
  at("by").replaceChildren(...names.map((name) => el("option", { value: name, selected: name === by }, name)));
  showGroups();
  optional("distances", figures.distances, "Its place among the clusters", { stem });
  optional("strip", figures.stability, "How often refits keep samples in their cluster", { stem });
}

function listenToMap(view) {
  view.addSignalListener("window", (_, value) => {
    const full = value && value.x && value.y;
    state.window = full ? { x: value.x, y: value.y } : null;
    showLists();
  });
  view.addEventListener("click", (_, item) => {
    if (item && item.datum && item.datum.id !== undefined) offer(String(item.datum.id));
  });
}

function optional(name, panel, title, options) {
  at(name).hidden = !panel;
  if (panel) drawChart(at(name), panel, title, options);
}

function showGroups() {
  const query = QUERIES[state.query], panel = query.groups[at("by").value];
  if (panel) drawChart(at("groups"), panel, "Influence by group, with 95 % intervals", { stem: stemOf(query) });
}

function showConflicts(query) {
  const columns = [["id", "near-duplicate", "", (row) => example(row.id)], ["cluster", "its cluster", ""], ["distance", "distance", ".4f"], ["relative", "in usual nearest distances", ".4f"]];
  at("conflicts").replaceChildren(el("h3", {}, "Near-duplicates with another label"), query.conflicts.length ? sortable(columns, query.conflicts, "Near-duplicates with another label")
    : el("p", {}, query.conflicts_note));
}

function showClusters() {
  at("clusters").hidden = !PAGE.clusters && !PAGE.words.clusters;
  at("heat").hidden = !PAGE.clusters;
  at("unexplained").textContent = PAGE.words.clusters;
  if (!PAGE.clusters) return;
  const none = { details: {} }, described = (id) => exemplar(none, id);
  const list = (records) => records.map((row) => described(row.id));
  at("cards").replaceChildren(...PAGE.clusters.cards.map((card) => el("details", { class: "card" },
    el("summary", {}, datum(card.name, 60), el("small", {}, `${card.size} members${card.stability ? ", " + card.stability + " in refits" : ""}`)),
    card.profile ? el("p", {}, "Against all rows: ", datum(card.profile, 600), ".") : null,
    el("p", {}, `Mean margin of its members: ${number(card.cohesion, ".4f")}.`),
    ...[["Most typical", card.typical.map(described)], ["Least typical", card.untypical.map(described)], ["Hold it together most", list(card.holds)], ["Loosen it most", list(card.loosens)]]
      .map(([title, content]) => el("div", { class: "exemplars" }, el("h4", {}, title), el("p", {}, content))))));
  drawChart(at("heat"), PAGE.clusters.heat, "Which cluster's examples hold or loosen which cluster", { note: PAGE.words.heat });
}

function showTrust() {
  const trust = PAGE.trust;
  const level = { supported: "good", "not supported": "poor" }[trust.status] || "none";
  at("verdict").replaceChildren(el("span", { class: `badge ${level}` }, el("b", {}, trust.words)), " ", trust.meaning);
  at("sentence").textContent = `This answer is ${trust.sentence}.` + (trust.null === null ? "" : trust.null === 0 ? " Retrained with nothing removed, no margin changed." : ` Retrained with nothing removed, the margins changed by at most ${trust.null.toExponential(1)}.`)
    + (trust.stability_words ? ` Stability: ${trust.stability_words}.` : "");
  optional("checkchart", trust.check, "Predicted against retrained changes of the margin");
  optional("jaccard", trust.stability, "How clusters come back in refits");
}

function showWords() {
  at("score").textContent = `The margin is ${PAGE.words.score}. It agrees with the clustering for ${PAGE.words.agreement} of the training examples. Method: ${PAGE.words.method}. ${PAGE.words.shown}`;
  at("facts").replaceChildren(...PAGE.facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, datum(value, 300))]));
  at("glossary").replaceChildren(...PAGE.glossary.flatMap(([term, text]) => [el("dt", {}, term), el("dd", {}, text)]));
}

function step(by) {
  const place = state.order.indexOf(state.query);
  choose(state.order[(place + by + state.order.length) % state.order.length]);
}

function arrange() {
  const margin = (index) => Math.abs(ANSWERS[index].margin ?? Infinity);
  state.order = QUERIES.map((_, index) => index);
  if (at("order").value === "marginal") state.order.sort((i, j) => margin(i) - margin(j) || i - j);
  at("known").replaceChildren(...state.order.map((index) => el("option", { value: QUERIES[index].id })));
}

function listen() {
  at("picker").addEventListener("submit", (event) => { event.preventDefault(); const asked = at("pick").value; offer(ROWS.has(asked) ? asked : asked.trim()); });
  at("pick").addEventListener("change", () => { if (CHOSEN.has(at("pick").value)) choose(CHOSEN.get(at("pick").value)); });
  at("previous").addEventListener("click", () => step(-1));
  at("next").addEventListener("click", () => step(1));
  at("order").addEventListener("change", () => { arrange(); choose(state.order[0]); });
  at("by").addEventListener("change", showGroups);
  at("search").addEventListener("input", showLists);
  at("only").addEventListener("change", showLists);
  at("clear").addEventListener("click", () => { showCharts(QUERIES[state.query]); state.window = null; showLists(); at("search").focus(); });
  at("theme").addEventListener("click", () => {
    const dark = getComputedStyle(document.documentElement).colorScheme === "dark";
    document.documentElement.dataset.theme = dark ? "light" : "dark";
  });
  at("help").addEventListener("click", () => at("keys").showModal());
  window.addEventListener("hashchange", fromAddress);
  window.addEventListener("scroll", () => { at("tooltip").hidden = true; }, { passive: true });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog, .table")) return;
    const act = { ArrowLeft: () => step(-1), ArrowRight: () => step(1), "/": () => at("pick").focus(), "?": () => at("keys").showModal() }[event.key];
    if (act) { event.preventDefault(); act(); }
  });
}

document.documentElement.classList.add("live");
const clusters = [...new Set(PAGE.rows.cluster)].sort((a, b) => a - b);
at("only").append(...clusters.map((one) => el("option", { value: String(one) }, datum(PAGE.names[one] ?? String(one), 40))));
arrange();
listen();
showWords();
showClusters();
showTrust();
fromAddress();
