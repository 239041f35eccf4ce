// view.js - pieces of the page. Everything that came from outside is set as text, never as markup.
export const find = (id) => document.getElementById(id);

export function make(tag, options = {}, ...children) {
  const { text, ...attributes } = options;
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}

// Sets the text only where it differs, so that selections and readers' positions stay.
export function say(element, text, kind = "") {
  if (element.textContent !== text) element.textContent = text;
  if (element.className !== kind) element.className = kind;
}

function cell(value, numeric) {
  if (value === null || value === undefined) return make("td", { class: numeric ? "number none" : "none", text: "–" });
  const text = String(value);
  if (numeric) return make("td", { class: "number", text });
  if (text.length <= 34) return make("td", { text });
  return make("td", {}, make("span", { class: "cut", title: text, text }));
}

// columns: [{ name, numeric, show }]; a row is an array. The first column may be a row's heading.
export function table(columns, rows, { heading = false, caption } = {}) {
  const head = make("tr");
  for (const column of columns) head.append(make("th", { scope: "col", class: column.numeric ? "number" : "", text: column.name }));
  const body = make("tbody");
  for (const row of rows) {
    const line = make("tr");
    columns.forEach((column, i) => {
      const value = column.show ? column.show(row[i]) : row[i];
      if (heading && i === 0) line.append(value instanceof Node ? make("th", { scope: "row" }, value) : make("th", { scope: "row", text: value }));
      else line.append(cell(value, column.numeric));
    });
    body.append(line);
  }
  const element = make("table", {}, make("thead", {}, head), body);
  if (caption) element.setAttribute("aria-label", caption);
  return element;
}

// Replace what `holder` shows, unless it shows the same already.
const shown = new WeakMap();
export function show(holder, key, build) {
  if (shown.get(holder) === key) return;
  shown.set(holder, key);
  const [left, top] = [holder.scrollLeft, holder.scrollTop];
  holder.replaceChildren(...[build()].flat());
  holder.scrollTo(left, top);
}

// `more` is a line in pieces, between which it may break.
export function tile(name, value, more) {
  const pieces = more.map((text) => make("span", { text }));
  return make("div", { class: "card tile" }, make("p", { class: "name", text: name }), make("p", { class: "value", text: value }), make("p", { class: "more" }, ...pieces));
}
