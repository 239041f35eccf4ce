// charts.js - the drawings. Only the parts of Chart.js that are used are bundled.
import {
  BarController,
  BarElement,
  CategoryScale,
  Chart,
  Filler,
  Legend,
  LinearScale,
  LineController,
  LineElement,
  PointElement,
  Tooltip,
} from "chart.js";
import { compact, count, rate, words } from "./format.js";

Chart.register(BarController, BarElement, CategoryScale, Filler, Legend, LinearScale, LineController, LineElement, PointElement, Tooltip);

// A colour of style.css as the current theme has it. The probe is needed because a custom property's value is the
// text that was written, light-dark(...) and all.
const probe = document.createElement("i");
probe.hidden = true;
document.body.append(probe);
function colour(name) {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

// Fonts and lines of every chart; again after a change of theme.
export function set_theme() {
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.font.size = 12;
  Chart.defaults.color = colour("soft");
  Chart.defaults.borderColor = colour("grid");
  Chart.defaults.animation = false;
  Chart.defaults.maintainAspectRatio = false;
  Chart.defaults.plugins.legend.labels.boxWidth = 10;
  Chart.defaults.plugins.legend.labels.boxHeight = 10;
  Chart.defaults.plugins.legend.labels.color = colour("text");
  Object.assign(Chart.defaults.plugins.tooltip, {
    backgroundColor: colour("text"),
    titleColor: colour("card"),
    bodyColor: colour("card"),
    footerColor: colour("card"),
    padding: 9,
    cornerRadius: 7,
    boxPadding: 4,
  });
}

// One chart a canvas: a new drawing takes the place of the old one.
function draw(canvas, config) {
  forget(canvas);
  return new Chart(canvas, config);
}

// The next drawing of these starts anew, with the colours of now.
export function forget(...canvases) {
  for (const canvas of canvases) Chart.getChart(canvas)?.destroy();
}

const number_axis = (more = {}) => ({
  beginAtZero: true,
  border: { display: false },
  grid: { color: colour("grid"), tickLength: 0 },
  ticks: { callback: compact, maxTicksLimit: 6, padding: 6, precision: 0 },
  ...more,
});
const name_axis = (more = {}) => ({ grid: { display: false }, border: { color: colour("line") }, ...more });

const minutes = (seconds) => (seconds === 0 ? "now" : `${-seconds / 60} min`);

// Stacked bands, one a topic. series: [{ name, colour, points: [{ x: seconds before now, y }] }], same x in each.
export function draw_rates(canvas, series, span_s) {
  const datasets = series.map((one) => ({
    label: one.name,
    data: one.points,
    borderColor: colour(one.colour),
    backgroundColor: colour(one.colour),
    borderWidth: 1,
    pointRadius: 0,
    fill: "stack",
  }));
  const old = Chart.getChart(canvas);
  if (old && old.data.datasets.length === datasets.length) {
    datasets.forEach((dataset, i) => Object.assign(old.data.datasets[i], dataset));
    old.update("none");
    return;
  }
  draw(canvas, {
    type: "line",
    data: { datasets },
    options: {
      parsing: false,
      interaction: { mode: "index", intersect: false },
      scales: {
        x: { type: "linear", min: -span_s, max: 0, grid: { display: false }, border: { color: colour("line") }, ticks: { stepSize: 60, callback: minutes, maxRotation: 0, align: "inner" } },
        y: number_axis({ stacked: true, suggestedMax: 10 }),
      },
      plugins: {
        legend: { position: "bottom", reverse: false },
        tooltip: {
          itemSort: (a, b) => b.datasetIndex - a.datasetIndex,
          callbacks: {
            title: (items) => (items.length ? `${Math.round(-items[0].parsed.x)} s ago` : ""),
            label: (item) => `${item.dataset.label}: ${rate(item.parsed.y)}`,
            footer: (items) => `together: ${rate(items.reduce((sum, item) => sum + item.parsed.y, 0))}`,
          },
        },
      },
    },
  });
}

// A group of bars a topic: acknowledged, landed, then cleaned with the rows set aside stacked on it.
export function draw_stages(canvas, stages) {
  const bar = (label, key, tone, stack) => ({ label, stack, data: stages.map((stage) => stage[key]), backgroundColor: colour(tone), borderRadius: 3, barPercentage: 0.86, categoryPercentage: 0.74 });
  const data = {
    labels: stages.map((stage) => [stage.entity, stage.way]),
    datasets: [bar("acknowledged", "acknowledged", "stage-1", "a"), bar("landed", "landed", "stage-2", "b"), bar("cleaned", "cleaned", "stage-3", "c"), bar("set aside", "quarantined", "stage-4", "c")],
  };
  const old = Chart.getChart(canvas);
  if (old && old.data.labels.length === data.labels.length) {
    data.datasets.forEach((dataset, i) => Object.assign(old.data.datasets[i], dataset));
    old.data.labels = data.labels;
    old.update("none");
    return;
  }
  draw(canvas, {
    type: "bar",
    data,
    options: {
      interaction: { mode: "index", intersect: false },
      scales: { x: name_axis({ stacked: true, ticks: { maxRotation: 0, autoSkip: false } }), y: number_axis({ stacked: true }) },
      plugins: {
        legend: { position: "bottom" },
        tooltip: { callbacks: { title: (items) => items[0].label.replace(",", ", "), label: (item) => `${item.dataset.label}: ${count(item.raw)}` } },
      },
    },
  });
}

const BARS_MOST = 12;
const distinct = (rows, column) => [...new Set(rows.map((row) => row[column]))];

// How an answer is drawn follows from its shape, so that an answer that a user adds is drawn too. The last column is
// the value, those before it are names.
export function shape_of(answer) {
  const { columns, rows } = answer;
  const value = columns.length - 1;
  if (rows.length === 0) return { kind: "none" };
  if (rows.length === 1) return { kind: "figure" };
  if (value === 2) {
    const [first, second] = [distinct(rows, 0), distinct(rows, 1)];
    if (first.length > 1 && first.length <= 16 && second.length <= 6 && rows.length > 1.5 * first.length) return { kind: "groups", first, second };
  }
  if (rows.length <= (value > 1 ? 4 : 10)) return { kind: "columns", rows };
  if (rows.length <= BARS_MOST) return { kind: "bars", rows };
  const top = [...rows].sort((a, b) => b[value] - a[value]).slice(0, BARS_MOST);
  return { kind: "bars", rows: top };
}

// A sentence on what of the answer is drawn.
export function caption_of(answer, shape) {
  const value = words(answer.columns.at(-1));
  if (shape.kind === "bars" && shape.rows.length < answer.rows.length) return `${value}, the ${shape.rows.length} highest of ${count(answer.rows.length)}`;
  if (shape.kind === "groups") return `${value} by ${words(answer.columns[0])} and ${words(answer.columns[1])}`;
  return value;
}

// As much of a name as fits beside the bars, which keep the greater part of the width.
function fit(canvas, text) {
  const context = canvas.getContext("2d");
  const room = 0.44 * canvas.clientWidth;
  context.font = `${Chart.defaults.font.size}px ${Chart.defaults.font.family}`;
  if (context.measureText(text).width <= room) return text;
  let size = text.length - 1;
  while (size > 1 && context.measureText(`${text.slice(0, size)}…`).width > room) size -= 1;
  return `${text.slice(0, size).trimEnd()}…`;
}

function tooltip(answer) {
  const value = words(answer.columns.at(-1));
  return { callbacks: { label: (item) => `${item.dataset.label ? `${item.dataset.label}: ` : ""}${count(item.raw)} ${value}` } };
}

export function draw_answer(canvas, answer, shape) {
  const last = answer.columns.length - 1;
  const base = { legend: { display: false }, tooltip: tooltip(answer) };
  if (shape.kind === "groups") {
    const at = new Map(answer.rows.map((row) => [`${row[0]}\n${row[1]}`, row[last]]));
    draw(canvas, {
      type: "bar",
      data: {
        labels: shape.first.map(String),
        datasets: shape.second.map((name, i) => ({ label: String(name), data: shape.first.map((first) => at.get(`${first}\n${name}`) ?? null), backgroundColor: colour(`group-${i + 1}`), borderRadius: 3, categoryPercentage: 0.8, barPercentage: 0.92 })),
      },
      options: { scales: { x: name_axis(), y: number_axis() }, plugins: { ...base, legend: { position: "bottom" } } },
    });
    return;
  }
  const across = shape.kind === "bars";
  const labels = shape.rows.map((row) => {
    const names = row.slice(0, last).map((name) => (name === null ? "none" : String(name)));
    return across ? names.join(" · ") : names;
  });
  const names = across
    ? name_axis({ ticks: { autoSkip: false, callback: (_, i) => fit(canvas, labels[i]), color: colour("text") } })
    : name_axis({ ticks: { autoSkip: false, maxRotation: 0, color: colour("text") } });
  draw(canvas, {
    type: "bar",
    data: { labels, datasets: [{ data: shape.rows.map((row) => row[last]), backgroundColor: colour("answer"), borderRadius: 3, maxBarThickness: across ? 18 : 56, categoryPercentage: 0.78 }] },
    options: { indexAxis: across ? "y" : "x", scales: across ? { x: number_axis(), y: names } : { x: names, y: number_axis() }, plugins: base },
  });
}
