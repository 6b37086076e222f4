"use strict";

// Text of the corpus only ever enters the page as textContent, or escaped by plain() where plotly reads tags.

const PAGE_SIZE = 25;
const CELL = [22, 44]; // pixels of a step in a heat map, at least and at most
const CONFIG = { responsive: true, displayModeBar: false };
const TOUCHES = matchMedia("(pointer: coarse)").matches; // there, dragging scrolls the page and does not zoom
const NARROW = matchMedia("(max-width: 50rem)");

const byId = (id) => document.getElementById(id);
const parsed = new Map();

/** The data of an element, parsed when they are first asked for. */
function data(id) {
  if (!parsed.has(id)) parsed.set(id, JSON.parse(byId(id).textContent));
  return parsed.get(id);
}

const [SOURCE_LANG, TARGET_LANG] = data("overview").languages;

/** An element with properties, or attributes where the name has a hyphen, holding nodes and texts. */
function make(tag, properties = {}, ...content) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...content);
  return element;
}

/** Text of the corpus: its direction and control characters stay its own. */
const foreign = (tag, text, lang) => make(tag, { className: "foreign", dir: "auto", lang }, text);

/** Text for plotly, which would read tags in it. */
const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** A name of the experiment file for people. */
const readable = (name) => name.replaceAll("_", " ");

/** A button that does nothing at an end keeps the focus: `disabled` would drop it. */
const setEnded = (id, isEnded) => byId(id).setAttribute("aria-disabled", String(isEnded));

function onPress(id, run) {
  byId(id).addEventListener("click", () => {
    if (byId(id).getAttribute("aria-disabled") !== "true") run();
  });
}

function fill(select, texts) {
  select.replaceChildren(...texts.map((text, value) => make("option", { value }, text)));
}

// ---- charts ----

const drawn = new Map(); // element -> traces and layout

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A layout in the colours of the page's present form, light or dark. */
function coloured(layout) {
  const [text, line] = ["--text", "--line"].map(colour);
  const isMap = layout.meta === "map";
  const axis = { gridcolor: line, zerolinecolor: line, linecolor: line, showline: isMap, mirror: isMap };
  return {
    ...layout,
    dragmode: TOUCHES || isMap ? false : "zoom",
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: text, size: 12, family: "system-ui, sans-serif" },
    xaxis: { ...layout.xaxis, ...axis },
    yaxis: { ...layout.yaxis, ...axis },
  };
}

function draw(element, traces, layout) {
  drawn.set(element, [traces, layout]);
  const scale = (trace) => [[0, colour(trace.meta)], [1, colour("--high")]];
  const shown = traces.map((trace) => (trace.type === "heatmap" ? { ...trace, colorscale: scale(trace) } : trace));
  Plotly.react(element, shown, coloured(layout), CONFIG);
}

function forget(container) {
  for (const element of drawn.keys()) {
    if (container.contains(element)) {
      Plotly.purge(element);
      drawn.delete(element);
    }
  }
  container.replaceChildren();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const [element, [traces, layout]] of [...drawn]) draw(element, traces, layout);
});

/** Pixels of a chart's height; on a narrow page each entry of the legend takes a line. */
const lineChartHeight = (traces) => 400 + (NARROW.matches ? 24 * traces.filter((trace) => trace.showlegend !== false).length : 0);

NARROW.addEventListener("change", () => {
  for (const [element, [traces, layout]] of drawn) {
    if (layout.meta === "map") continue;
    element.style.height = `${lineChartHeight(traces)}px`;
    Plotly.Plots.resize(element);
  }
});

/** A table in a part of the page that scrolls by itself; the first text of a row names it. */
function scrollingTable(title, header, rows) {
  const head = make("tr", {}, ...header.map((text) => make("th", { scope: "col" }, text)));
  const body = rows.map(([name, ...cells]) => make("tr", {}, make("th", { scope: "row" }, name),
    ...cells.map((text) => make("td", {}, text))));
  return make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": `Table: ${title}` },
    make("table", {}, make("thead", {}, head), make("tbody", {}, ...body)));
}

/** The figures of a chart, for those who do not point at it; `figures` gives header and rows when they are asked for. */
function figuresPart(title, figures) {
  const part = make("details", {}, make("summary", {}, "Figures"));
  part.addEventListener("toggle", () => part.append(scrollingTable(title, ...figures())), { once: true });
  return part;
}

/** The figures of lines: a row for each place on the axis, a column for each line. */
function lineFigures(traces, axis) {
  const places = [...new Set(traces.flatMap((trace) => trace.x))];
  if (typeof places[0] === "number") places.sort((one, other) => one - other);
  const figure = (trace, place) => {
    const index = trace.x.indexOf(place);
    return index < 0 ? "" : String(trace.y[index] ?? "not finite");
  };
  const rows = places.map((place) => [String(place).replace("<br>", " "), ...traces.map((trace) => figure(trace, place))]);
  return [[axis, ...traces.map((trace) => trace.meta)], rows];
}

/** A chart in a part of the page that scrolls by itself where the chart is wider, and its figures. */
function chartFigure(title, caption, figures, height, least = 0, most = null) {
  const chart = make("div", { className: "chart" });
  chart.style.height = `${height}px`;
  chart.style.minWidth = `${least}px`;
  if (most !== null) chart.style.maxWidth = `${most}px`;
  const scroll = make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": `Chart: ${title}` }, chart);
  const notes = caption ? [make("figcaption", {}, caption)] : [];
  return [make("figure", {}, make("h3", {}, title), scroll, ...notes, figuresPart(title, figures)), chart];
}

function showCurves(overview) {
  const { data: traces, layout } = overview.curves;
  byId("curves-chart").style.height = `${lineChartHeight(traces)}px`;
  byId("curves-chart").closest("figure").append(figuresPart("learning curves", () => lineFigures(traces, "updates")));
  draw(byId("curves-chart"), traces, layout);
}

function showLengths(overview) {
  overview.tests.forEach((test, index) => {
    const { data: traces, layout } = overview.lengths[index];
    const figures = () => lineFigures(traces, "words of the source (sentences)");
    const [figure, chart] = chartFigure(readable(test.name), "", figures, lineChartHeight(traces));
    byId("lengths-charts").append(figure);
    draw(chart, traces, layout);
  });
}

// ---- sentences ----

const [LINE, WORDS, SOURCE, REFERENCE, WRITTEN, CHRF] = [0, 1, 2, 3, 4, 5]; // of a row
const viewer = { found: [], page: 0, chosen: 0 };

const sentenceRows = () => data(`sentences-${byId("test-set").value}`);
const systemA = () => Number(byId("system-a").value);
const systemB = () => Number(byId("system-b").value);
const difference = (row) => row[CHRF][systemA()] - row[CHRF][systemB()];
const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;

const ORDERS = {
  line: (row) => row[LINE],
  a: (row) => -difference(row),
  b: (row) => difference(row),
  difference: (row) => -Math.abs(difference(row)),
  low: (row) => row[CHRF][systemA()],
  short: (row) => row[WORDS],
  long: (row) => -row[WORDS],
};

function matches(row, wanted) {
  return [row[SOURCE], row[REFERENCE], ...row[WRITTEN]].some((text) => text.toLocaleLowerCase().includes(wanted));
}

/** Choose and order the sentences anew, and show the first of them, or the one to keep if it is still found. */
function findSentences(kept = null) {
  const wanted = byId("search").value.trim().toLocaleLowerCase();
  const key = ORDERS[byId("order").value];
  const rows = wanted ? sentenceRows().filter((row) => matches(row, wanted)) : [...sentenceRows()];
  viewer.found = rows.sort((one, other) => key(one) - key(other) || one[LINE] - other[LINE]);
  choose(viewer.found.indexOf(kept));
}

/** Show the sentence at a place of the order, and the page that it is on. */
function choose(place, focused = false) {
  viewer.chosen = Math.max(0, Math.min(place, viewer.found.length - 1));
  const page = Math.floor(viewer.chosen / PAGE_SIZE);
  const top = page === viewer.page ? byId("sentence-list").scrollTop : 0;
  viewer.page = page;
  showList();
  byId("sentence-list").scrollTop = top;
  showSentence();
  if (focused) byId("sentence-list").querySelector('[aria-current="true"]')?.focus();
}

function listEntry(row, place) {
  const isChosen = place === viewer.chosen;
  const figures = `${row[LINE]} · A ${row[CHRF][systemA()].toFixed(1)} · B ${row[CHRF][systemB()].toFixed(1)} · `
    + `A − B ${signed(difference(row))}`;
  const text = foreign("span", row[SOURCE], SOURCE_LANG);
  text.classList.add("text");
  const button = make("button", { type: "button", tabIndex: isChosen ? 0 : -1, "aria-current": String(isChosen) },
    make("span", { className: "figures" }, figures), text);
  button.addEventListener("click", () => choose(place, true));
  return make("li", {}, button);
}

function showList() {
  const start = viewer.page * PAGE_SIZE;
  const shown = viewer.found.slice(start, start + PAGE_SIZE);
  byId("sentence-list").replaceChildren(...shown.map((row, index) => listEntry(row, start + index)));
  const place = shown.length
    ? `${start + 1}–${start + shown.length} of ${viewer.found.length}` : "no sentence has this text";
  if (byId("place").textContent !== place) byId("place").textContent = place; // each change is read aloud
  setEnded("previous", viewer.page === 0);
  setEnded("next", start + PAGE_SIZE >= viewer.found.length);
}

function showSentence() {
  const row = viewer.found[viewer.chosen];
  byId("sentence").replaceChildren(...(row ? sentenceNodes(row) : []));
}

function sentenceNodes(row) {
  const systems = data("overview").systems.map((name, index) => {
    const role = [index === systemA() ? "A: " : "", index === systemB() ? "B: " : ""].join("");
    const score = make("div", { className: "score" }, make("span", {}, role + name),
      make("b", {}, `chrF ${row[CHRF][index].toFixed(1)}`));
    return make("li", { className: role ? "compared" : "" }, score, foreign("p", row[WRITTEN][index] || "(nothing)", TARGET_LANG));
  });
  return [
    make("h3", {}, `Source, line ${row[LINE]}, ${row[WORDS]} words`), foreign("p", row[SOURCE], SOURCE_LANG),
    make("h3", {}, "Reference"), foreign("p", row[REFERENCE], TARGET_LANG), make("ul", {}, ...systems),
  ];
}

const STEPS = {
  ArrowDown: () => viewer.chosen + 1,
  ArrowUp: () => viewer.chosen - 1,
  PageDown: () => viewer.chosen + PAGE_SIZE,
  PageUp: () => viewer.chosen - PAGE_SIZE,
  Home: () => 0,
  End: () => viewer.found.length - 1,
};

function showTestSet() {
  const test = data("overview").tests[byId("test-set").value];
  const all = test.embedded === test.total;
  const count = all ? `All ${test.total} sentences` : `${test.embedded} of the ${test.total} sentences, evenly spaced,`;
  byId("embedded").textContent = `${count} of this test set, with the translations of seed ${data("overview").seed}.`
    + (all ? "" : " report.py --sentences N takes more of them.");
  findSentences();
}

function startViewer(overview) {
  byId("sentence-viewer").hidden = overview.no_sentences !== "";
  if (overview.no_sentences) {
    byId("embedded").textContent = overview.no_sentences;
    return;
  }
  fill(byId("test-set"), overview.tests.map((test) => readable(test.name)));
  for (const id of ["system-a", "system-b"]) fill(byId(id), overview.systems);
  byId("system-b").value = String(Math.min(1, overview.systems.length - 1));
  byId("test-set").addEventListener("change", showTestSet);
  for (const id of ["system-a", "system-b"]) {
    byId(id).addEventListener("change", () => findSentences(viewer.found[viewer.chosen]));
  }
  byId("order").addEventListener("change", () => findSentences());
  byId("search").addEventListener("input", () => findSentences());
  byId("sentence-form").addEventListener("submit", (event) => event.preventDefault());
  onPress("previous", () => choose((viewer.page - 1) * PAGE_SIZE));
  onPress("next", () => choose((viewer.page + 1) * PAGE_SIZE));
  byId("sentence-list").addEventListener("keydown", (event) => {
    if (!(event.key in STEPS)) return;
    event.preventDefault();
    choose(STEPS[event.key](), true);
  });
  showTestSet();
}

// ---- units ----

const examples = () => data(`units-${byId("unit-model").value}-${byId("unit-test").value}`);

/** Pixels that the longest of some names takes beside an axis, with the axis' title. */
const room = (names) => 48 + 7 * Math.max(...names.map((name) => name.length));

const heatText = (value) => (value === null ? "inactive" : value.toFixed(2));

/** A heat map; rows and columns are named by tokens or numbers, cells that are null keep the page's background. */
function heatMap(title, caption, { rows, columns, values, hover, labels, lowest, most }) {
  const margin = { l: room(rows), r: 64, t: 8, b: room(columns) };
  const [least, widest] = CELL.map((cell) => cell * columns.length + margin.l + margin.r);
  const height = 19 * rows.length + margin.t + margin.b;
  const figures = () => [[`${labels[1]} / ${labels[0]}`, ...columns],
    values.map((row, index) => [rows[index], ...row.map(heatText)])];
  const [figure, chart] = chartFigure(title, caption, figures, Math.max(height, 180), least, Math.max(widest, 320));
  const colorbar = { thickness: 12, outlinewidth: 0, lenmode: "pixels", len: 110, y: 1, yanchor: "top" };
  const trace = { type: "heatmap", meta: lowest, z: values, zmin: 0, zmax: most, text: hover, hoverinfo: "text", xgap: 1,
    ygap: 1, colorbar };
  const axis = (names, label) => ({ tickmode: "array", tickvals: names.map((_, index) => index),
    ticktext: names.map(plain), tickfont: { size: 11 }, showgrid: false, zeroline: false, automargin: true,
    title: { text: label, font: { size: 12 }, standoff: 8 } });
  const layout = { meta: "map", margin, xaxis: { ...axis(columns, labels[0]), tickangle: -90 },
    yaxis: { ...axis(rows, labels[1]), autorange: "reversed" } };
  return [figure, () => draw(chart, [trace], layout)];
}

function unitMap(layer) {
  const units = layer.reads[0].map((_, unit) => unit);
  const values = units.map((unit) => layer.reads.map((step) => step[unit]));
  const hover = values.map((row, unit) => row.map((value, step) =>
    `unit ${unit}, ${plain(layer.tokens[step])}: ${heatText(value)}`));
  return heatMap(layer.title, "", { rows: units.map(String), columns: layer.tokens, values, hover,
    labels: ["what is read", "unit"], lowest: "--low", most: 1 });
}

function attentionMap(example) {
  const hover = example.attention.map((row, step) => row.map((value, place) =>
    `${plain(example.writes[step])} from ${plain(example.reads[place])}: ${heatText(value)}`));
  const values = example.attention;
  return heatMap("attention of the decoder", "A row is a step of the decoder, named by the token that follows in the "
    + "translation, divided into subwords anew.",
    { rows: example.writes, columns: example.reads, values, hover, labels: ["source", "translation"],
      lowest: "--page", most: Math.max(...values.flat()) });
}

function showUnits() {
  const place = Number(byId("unit-sentence").value);
  const example = examples()[place];
  setEnded("unit-previous", place === 0);
  setEnded("unit-next", place >= examples().length - 1);
  byId("no-fitting").textContent = example ? "" : data("overview").no_fitting;
  forget(byId("unit-charts"));
  byId("unit-text").replaceChildren();
  if (!example) return;
  byId("unit-text").append(make("dt", {}, "Source"), foreign("dd", example.source, SOURCE_LANG),
    make("dt", {}, "Translation"), foreign("dd", example.written, TARGET_LANG));
  const maps = [...example.layers.map(unitMap), attentionMap(example)];
  byId("unit-charts").append(...maps.map(([figure]) => figure));
  maps.forEach(([, show]) => show());
}

function showExamples() {
  const shortened = (text) => (text.length > 70 ? `${text.slice(0, 70)}…` : text);
  const found = examples();
  fill(byId("unit-sentence"), found.map(({ line, source }) => `${line}: ${shortened(source)}`));
  byId("unit-sentence").disabled = !found.length;
  showUnits();
}

function stepUnits(by) {
  const select = byId("unit-sentence");
  select.selectedIndex += by;
  showUnits();
}

function startExplorer(overview) {
  byId("explorer").hidden = !overview.models.length;
  byId("no-units").hidden = overview.models.length > 0;
  if (!overview.models.length) {
    byId("no-units").textContent = overview.no_units;
    return;
  }
  fill(byId("unit-model"), overview.models);
  fill(byId("unit-test"), overview.tests.map((test) => readable(test.name)));
  for (const id of ["unit-model", "unit-test"]) byId(id).addEventListener("change", showExamples);
  byId("unit-sentence").addEventListener("change", showUnits);
  byId("unit-form").addEventListener("submit", (event) => event.preventDefault());
  onPress("unit-previous", () => stepUnits(-1));
  onPress("unit-next", () => stepUnits(1));
  showExamples();
}

/** Run something when an element is about to be seen or printed, once. */
function whenSeen(element, run) {
  const once = () => {
    observer.disconnect();
    removeEventListener("beforeprint", once);
    run();
  };
  const observer = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) once();
  }, { rootMargin: "600px" });
  observer.observe(element);
  addEventListener("beforeprint", once);
}

const overview = data("overview");
startViewer(overview);
for (const [id, run] of [["curves", showCurves], ["lengths", showLengths], ["units", startExplorer]]) {
  whenSeen(byId(id), () => run(overview));
}
