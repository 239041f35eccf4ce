// app.js - asks the program for its figures and shows them. Nothing is fetched from anywhere else.
import { ago, bytes, compact, count, rate, words } from "./format.js";
import { caption_of, draw_answer, draw_rates, draw_stages, forget, set_theme, shape_of } from "./charts.js";
import { find, make, say, show, table, tile } from "./view.js";

const SPAN_S = 300; // of the drawing of rates
const state = { from: "tables", table: null, status: null, rates: [], answers: "", measured_ms: 0 };

async function ask(path) {
  const answer = await fetch(path, { cache: "no-cache" });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.message ?? `${path}: status ${answer.status}`);
  return body;
}

// ---- health and totals ----

function show_health(status) {
  say(find("ingest"), status.ingest.reachable ? "reachable" : "not reachable", status.ingest.reachable ? "good" : "poor");
  find("ingest").title = status.ingest.note || status.ingest.address;
  say(find("lag"), status.lake_lag == null ? "not known" : `${count(status.lake_lag)} records`);
  const last = status.tables.reduce((most, one) => Math.max(most, one.modified_ms ?? 0), 0);
  say(find("commit"), ago(last || null, status.now_ms));
  find("user").hidden = false;
  say(find("user"), status.user, "chip");
}

// Not known when a part of it is not.
const sum = (list, key) => list.reduce((total, one) => (total === null || one[key] == null ? null : total + one[key]), 0);

function show_tiles(status) {
  const { stages, topics, tables } = status;
  const batch = stages.filter((stage) => stage.way === "batch");
  const stream = stages.filter((stage) => stage.way === "stream");
  const both = (key) => [`batch ${compact(sum(batch, key))} · `, `stream ${compact(sum(stream, key))}`];
  const aside = sum(stages, "quarantined");
  const done = aside === null ? null : sum(stages, "cleaned") + aside;
  const tiles = [
    ["Records a second", rate(sum(topics, "rate")), [`${topics.length} topics`]],
    ["Acknowledged", count(sum(stages, "acknowledged")), both("acknowledged")],
    ["Landed in the lake", count(sum(batch, "landed")), ["the batch way"]],
    ["Cleaned", count(sum(stages, "cleaned")), both("cleaned")],
    ["Set aside", count(aside), [done ? `${((100 * aside) / done).toFixed(2)} % of all` : ""]],
    ["Tables", count(tables.length), [`${bytes(sum(tables, "bytes"))} of Parquet`]],
  ];
  show(find("tiles"), JSON.stringify(tiles), () => tiles.map((one) => tile(...one)));
}

// ---- rates ----

function tone_of(topic) {
  const kind = ["pin", "geo", "user"].find((name) => topic.endsWith(`.${name}`) || topic.endsWith(`-${name}`)) ?? "other";
  return topic.startsWith("streaming-") ? `${kind}-stream` : kind;
}

async function load_rates() {
  const answer = await ask("api/rates");
  state.rates = answer.times.map((time, i) => ({ time, of: new Map(answer.topics.map((topic) => [topic.topic, topic.rates[i]])) }));
  state.measured_ms = answer.times.at(-1) ?? 0;
}

function show_rates(status) {
  if (status.measured_ms > state.measured_ms) {
    state.rates.push({ time: status.measured_ms, of: new Map(status.topics.map((topic) => [topic.topic, topic.rate])) });
    state.measured_ms = status.measured_ms;
  }
  const newest = state.measured_ms;
  state.rates = state.rates.filter((one) => one.time >= newest - SPAN_S * 1000);
  const names = status.topics.map((topic) => topic.topic);
  draw_rates(
    find("rates"),
    names.map((name) => ({
      name,
      colour: tone_of(name),
      points: state.rates.map((one) => ({ x: (one.time - newest) / 1000, y: one.of.get(name) ?? 0 })),
    })),
    SPAN_S,
  );
  const rows = status.topics.map((topic) => [topic.topic, rate(topic.rate), count(topic.acknowledged)]);
  const columns = [{ name: "topic" }, { name: "records a second, now", numeric: true }, { name: "acknowledged", numeric: true }];
  show(find("rates-table"), JSON.stringify(rows), () => table(columns, rows, { heading: true, caption: "Rates per topic" }));
}

// ---- stages ----

function show_stages(status) {
  draw_stages(find("stages"), status.stages);
  const rows = status.stages.map((stage) => [`${stage.entity}, ${stage.way}`, stage.acknowledged, stage.landed, stage.cleaned, stage.quarantined]);
  const number = (name) => ({ name, numeric: true, show: count });
  const columns = [{ name: "topic" }, number("acknowledged"), number("landed"), number("cleaned"), number("set aside")];
  show(find("stages-table"), JSON.stringify(rows), () => table(columns, rows, { heading: true, caption: "Rows per stage" }));
}

// ---- answers ----

const plain = (value) => (typeof value === "number" && !Number.isInteger(value) ? Number(value.toFixed(4)) : value);

function answer_table(answer) {
  const last = answer.columns.length - 1;
  const columns = answer.columns.map((name, i) => ({ name: words(name), numeric: i === last, show: i === last ? count : plain }));
  return table(columns, answer.rows, { caption: answer.title });
}

function answer_card(answer) {
  const shape = shape_of(answer);
  const card = make("article", { class: "card answer", "data-name": answer.name }, make("h3", { text: answer.title }));
  if (shape.kind === "none") {
    card.append(make("div", { class: "figure" }, make("p", { class: "unit", text: answer.note ?? "no rows yet" })));
    return card;
  }
  card.append(make("p", { class: "aside", text: caption_of(answer, shape) }));
  if (shape.kind === "figure") {
    const row = answer.rows[0];
    card.append(
      make(
        "div",
        { class: "figure" },
        make("p", { class: "value", text: count(row.at(-1)) }),
        make("p", { class: "unit", text: words(answer.columns.at(-1)) }),
        ...row.slice(0, -1).map((value, i) => make("p", { class: i === 0 ? "who" : "unit", text: String(value) })),
      ),
    );
  } else {
    const canvas = make("canvas", { role: "img", "aria-label": `${answer.title}: chart; the same as a table below` });
    card.append(make("div", { class: "plot" }, canvas));
    card.draw = () => draw_answer(canvas, answer, shape);
  }
  const rows = `${count(answer.rows.length)} row${answer.rows.length === 1 ? "" : "s"}`;
  card.append(make("details", {}, make("summary", { text: `As a table: ${rows}${answer.truncated ? " (the first)" : ""}` }), make("div", { class: "scroll" }, answer_table(answer))));
  return card;
}

function show_answers(answers) {
  const holder = find("answers");
  const text = JSON.stringify([state.from, answers]);
  if (text === state.answers) return;
  state.answers = text;
  const open = new Set([...holder.querySelectorAll("details[open]")].map((one) => one.closest("article").dataset.name));
  const cards = answers.map(answer_card);
  for (const card of cards) {
    if (open.has(card.dataset.name)) card.querySelector("details")?.setAttribute("open", "");
  }
  holder.replaceChildren(...cards);
  cards.forEach((card) => card.draw?.());
}

// ---- newest rows and the list of tables ----

function show_table_choice(status) {
  const names = status.tables.filter((one) => !one.name.includes("_insight_")).map((one) => one.name);
  if (!names.includes(state.table)) state.table = names.find((name) => name.endsWith("_pin_table")) ?? names[0] ?? null;
  const prefix = `${status.user}_`;
  show(find("newest-tables"), JSON.stringify([names, state.table]), () =>
    names.map((name) => make("button", { type: "button", "data-table": name, "aria-pressed": String(name === state.table), text: words(name.startsWith(prefix) ? name.slice(prefix.length) : name) })),
  );
}

async function newest_round() {
  if (state.table === null) {
    if (state.status) throw new Error("No table has rows yet. Send some with: pinrail emulate");
    return;
  }
  const wanted = state.table;
  const answer = await ask(`api/newest?table=${encodeURIComponent(wanted)}&limit=20`);
  if (wanted !== state.table) return;
  const numeric = (i) => answer.rows.length > 0 && answer.rows.every((row) => row[i] === null || typeof row[i] === "number");
  const columns = answer.columns.map((name, i) => ({ name, numeric: numeric(i) }));
  show(find("newest"), JSON.stringify([wanted, answer.rows]), () => table(columns, answer.rows, { caption: `Newest rows of ${wanted}` }));
}

function show_tables(status) {
  const rows = status.tables.map((one) => [one.name, one.version, one.rows, one.bytes, one.modified_ms ? ago(one.modified_ms, status.now_ms) : null]);
  const columns = [{ name: "table" }, { name: "version", numeric: true, show: count }, { name: "rows", numeric: true, show: count }, { name: "size", numeric: true, show: bytes }, { name: "last commit", numeric: true }];
  show(find("tables"), JSON.stringify(rows), () => table(columns, rows, { heading: true, caption: "Tables" }));
}

// ---- rounds: each thing is asked for again some time after its last answer, and not at all while nobody looks ----

async function status_round() {
  if (state.status === null) await load_rates();
  const status = await ask("api/status");
  state.status = status;
  show_health(status);
  show_tiles(status);
  show_rates(status);
  show_stages(status);
  show_table_choice(status);
  show_tables(status);
}

async function answers_round() {
  const from = state.from;
  const answers = await ask(`api/insights?from=${from}`);
  if (from === state.from) show_answers(answers);
}

// `note` is where a refusal is shown.
function round(work, pause_ms, note) {
  let timer = 0;
  let running = false;
  const turn = async () => {
    clearTimeout(timer);
    if (running || document.hidden) return;
    running = true;
    try {
      await work();
      if (note) note.hidden = true;
    } catch (error) {
      // fetch() gives a TypeError when nobody answers.
      if (error instanceof TypeError) say(find("ingest"), "this page cannot reach pinrail", "poor");
      else if (note) {
        note.hidden = false;
        say(note, error.message, "note");
      }
    }
    running = false;
    timer = setTimeout(turn, pause_ms);
  };
  return turn;
}

const rounds = [round(status_round, 1500), round(answers_round, 5000, find("answers-note")), round(newest_round, 4000, find("newest-note"))];

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  state.status = null; // what happened meanwhile comes with the rates
  rounds.forEach((turn) => turn());
});

document.querySelector("[aria-label='Which tables to ask']").addEventListener("click", (event) => {
  const from = event.target.dataset.from;
  if (!from || from === state.from) return;
  state.from = from;
  for (const button of event.currentTarget.children) button.setAttribute("aria-pressed", String(button.dataset.from === from));
  rounds[1]();
});

find("newest-tables").addEventListener("click", (event) => {
  const name = event.target.dataset.table;
  if (!name) return;
  state.table = name;
  if (state.status) show_table_choice(state.status);
  rounds[2]();
});

// ---- theme: the system's, until a choice is made ----

const dark = matchMedia("(prefers-color-scheme: dark)");
const is_dark = () => (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";

function redraw() {
  set_theme();
  find("theme").textContent = is_dark() ? "Light" : "Dark";
  forget(find("rates"), find("stages"));
  state.answers = "";
  rounds.forEach((turn) => turn());
}

find("theme").addEventListener("click", () => {
  document.documentElement.dataset.theme = is_dark() ? "light" : "dark";
  try {
    localStorage.setItem("theme", document.documentElement.dataset.theme);
  } catch {
    // a browser that keeps nothing: the choice lasts as long as the page
  }
  redraw();
});
dark.addEventListener("change", redraw);

try {
  const kept = localStorage.getItem("theme");
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
} catch {
  // as above
}
redraw();
