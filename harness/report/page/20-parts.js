// Parts of the page: elements, the hint beside the pointer, tables that sort, lines to copy. Text
// gets into the page as text alone, never as HTML.
"use strict";

function element(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class") node.className = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key.includes("-") || key === "for" || key === "list" || key === "role") node.setAttribute(key, value);
    else if (key === "style") Object.assign(node.style, value);
    else node[key] = value;
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// What runs the action once nobody has asked for it for so many milliseconds.
function debounced(ms, action) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, ms);
  };
}

function say(text) {
  const toast = document.getElementById("toast");
  toast.textContent = text;
  toast.classList.add("on");
  clearTimeout(say.timer);
  say.timer = setTimeout(() => toast.classList.remove("on"), 2600);
}

async function copy(line) {
  try {
    await navigator.clipboard.writeText(line);
  } catch {
    // Where a page may not reach the clipboard, a selected field can still be copied.
    const field = element("textarea", { value: line });
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  say(`Copied: ${line}`);
}

function commandLine(line) {
  return element(
    "div",
    { class: "line" },
    element("code", { tabIndex: 0 }, line),
    element("button", { type: "button", class: "copy", onclick: () => copy(line) }, "Copy"),
  );
}

function selectOf(label, options, value, onchange) {
  const select = element("select", { onchange: () => onchange(select.value) });
  for (const [key, text] of options) select.append(element("option", { value: key }, text));
  select.value = value;
  return element("label", {}, label, select);
}

// The hint beside the pointer: a row's title, what there is to say of it, and its line.
const hint = {
  node: document.getElementById("tip"),
  show(row, event) {
    this.node.replaceChildren(element("b", {}, row.title));
    const list = element("dl");
    for (const [term, text] of row.facts) list.append(element("dt", {}, term), element("dd", {}, text));
    this.node.append(list);
    if (row.line) this.node.append(element("div", { class: "run" }, `${row.line}  · click copies`));
    this.node.hidden = false;
    const box = this.node.getBoundingClientRect();
    const left = event.clientX + 18 + box.width > innerWidth ? event.clientX - box.width - 14 : event.clientX + 18;
    const top = Math.min(event.clientY + 16, innerHeight - box.height - 8);
    this.node.style.left = `${Math.max(6, left)}px`;
    this.node.style.top = `${Math.max(6, top)}px`;
  },
  hide() {
    this.node.hidden = true;
  },
};

// A table of rows. A column is {name, of, show, number}: `of` gives what it sorts by, `show` the
// text. A row with a line has a button that copies it. No more rows than asked for are in the page.
function tableOf(columns, rows, { first = 25, sort = null } = {}) {
  let sorted = rows;
  let by = null;
  let down = false;
  let shown = first;
  const body = element("tbody");
  const more = element("div", { class: "more" });
  const heads = columns.map((column) =>
    element(
      "th",
      { scope: "col", class: column.number ? "number" : "" },
      element("button", { type: "button", onclick: () => order(column, by === column && !down) }, column.name),
    ),
  );
  function fill(further = 0) {
    shown += further;
    const part = sorted.slice(0, shown);
    body.replaceChildren(
      ...part.map((row) => {
        const line = element(
          "tr",
          {},
          ...columns.map((column) =>
            element(
              "td",
              {
                class: [column.number ? "number" : "", column.mono ? "mono" : "", column.wide ? "wide" : ""]
                  .join(" ")
                  .trim(),
              },
              column.show ? column.show(row) : String(column.of(row) ?? ""),
            ),
          ),
        );
        line.append(
          element(
            "td",
            { class: "last" },
            row.line
              ? element(
                  "button",
                  {
                    type: "button",
                    class: "copy",
                    title: row.line,
                    "aria-label": `Copy the line for ${row.title}`,
                    onclick: () => copy(row.line),
                  },
                  "Copy",
                )
              : "",
          ),
        );
        return line;
      }),
    );
    more.replaceChildren();
    if (rows.length <= first) return;
    more.append(`${Math.min(shown, rows.length).toLocaleString("en-US")} of ${rows.length.toLocaleString("en-US")}`);
    if (shown < rows.length) {
      more.append(element("button", { type: "button", class: "copy", onclick: () => fill(200) }, "Show more"));
    }
  }
  function order(column, descending) {
    by = column;
    down = descending;
    const sign = down ? -1 : 1;
    sorted = [...rows].sort((a, b) => {
      const p = column.of(a);
      const q = column.of(b);
      if (p === undefined || q === undefined) return (p === undefined) - (q === undefined);
      return sign * (typeof p === "number" ? p - q : String(p).localeCompare(String(q)));
    });
    heads.forEach((head, i) => {
      if (columns[i] === by) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    fill();
  }
  if (sort)
    order(
      columns.find((column) => column.name === sort[0]),
      sort[1],
    );
  else fill();
  const head = element(
    "thead",
    {},
    element("tr", {}, ...heads, element("th", { scope: "col", class: "last", "aria-label": "line" })),
  );
  return element("div", {}, element("div", { class: "scroll" }, element("table", {}, head, body)), more);
}

// Columns that many tables have.
const column = {
  problem: { name: "problem", of: (row) => row.key, mono: true },
  tokens: { name: "tokens", of: (row) => row.m, number: true },
  shape: { name: "in × out", of: (row) => row.k * 1e10 + row.n, show: (row) => row.shape },
  rank: { name: "rank", of: (row) => row.rank, number: true },
  type: { name: "type", of: (row) => row.type },
  variant: { name: "variant", of: (row) => row.variant },
  config: { name: "config", of: (row) => row.config, mono: true, wide: true },
  time: {
    name: "time",
    of: (row) => row.time_ns,
    show: (row) => (row.time_ns === undefined ? "" : timeWords(row.time_ns)),
    number: true,
  },
};
