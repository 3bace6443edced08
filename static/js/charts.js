// `<figure data-chart-url="…">`: draw the series of a JSON document with uPlot, and list them in a table.
// {"x_label": "step", "y_label": "loss", "time": false, "series": [{"label": "loss", "x": [0, 1], "y": [0.9, 0.7]}]}
// With `time`, x is in Unix seconds; with `gaps`, a line ends where a value is null. `data-chart-refresh="5"` reads it again every five seconds.

const COLOURS = ["#2f6fdb", "#c4541a", "#2e8b57", "#8a4fbf", "#b8860b", "#c2387a"];
const HEIGHT = 220;
const MAX_TABLE_ROWS = 200;
const ALONE_SECONDS = 60;

function align(series) {
  const xs = [...new Set(series.flatMap((one) => one.x))].sort((a, b) => a - b);
  const place = new Map(xs.map((x, index) => [x, index]));
  const columns = series.map((one) => {
    const column = new Array(xs.length).fill(null);
    one.x.forEach((x, index) => { column[place.get(x)] = one.y[index]; });
    return column;
  });
  return [xs, ...columns];
}

function text(value, isTime) {
  if (value === null || value === undefined) return "";
  return isTime ? new Date(value * 1000).toISOString().replace("T", " ").slice(0, 19) : String(+value.toPrecision(6));
}

function cell(kind, content) {
  const element = document.createElement(kind);
  element.textContent = content;
  if (kind === "th") element.scope = "col";
  element.className = "number";
  return element;
}

function fillTable(table, document_, data) {
  const head = document.createElement("tr");
  head.append(cell("th", document_.x_label), ...document_.series.map((one) => cell("th", one.label)));
  const rows = data[0].slice(-MAX_TABLE_ROWS).map((x, i) => {
    const index = Math.max(0, data[0].length - MAX_TABLE_ROWS) + i;
    const row = document.createElement("tr");
    row.append(cell("td", text(x, document_.time)), ...data.slice(1).map((column) => cell("td", text(column[index], false))));
    return row;
  });
  table.tHead.replaceChildren(head);
  table.tBodies[0].replaceChildren(...rows);
}

// Times on pages are in UTC and written as year, month, day; uPlot alone would take the browser's zone and the order of the USA.
const utc = (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC");
const DAY = 86400;
const DAY_BELOW = ["\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1];
const TICKS = [
  [DAY * 365, "{YYYY}", null, null, null, null, null, null, 1],
  [DAY * 28, "{YYYY}-{MM}", null, null, null, null, null, null, 1],
  [DAY, "{MM}-{DD}", "\n{YYYY}", null, null, null, null, null, 1],
  [60, "{HH}:{mm}", ...DAY_BELOW],
  [1, "{HH}:{mm}:{ss}", ...DAY_BELOW],
  [0.001, "{HH}:{mm}:{ss}.{fff}", ...DAY_BELOW],
];

function options(document_, width) {
  const style = getComputedStyle(document.body);
  const ink = style.getPropertyValue("--muted").trim();
  const grid = { stroke: style.getPropertyValue("--border").trim(), width: 1 };
  const axis = { stroke: ink, grid, ticks: grid, font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif" };
  return {
    width,
    height: HEIGHT,
    scales: { x: { time: Boolean(document_.time) } },
    tzDate: utc,
    axes: [{ ...axis, label: document_.x_label, labelSize: 20, ...(document_.time ? { values: TICKS } : {}) }, { ...axis, label: document_.y_label || "", labelSize: document_.y_label ? 20 : 0, size: 56 }],
    series: [
      document_.time ? { label: document_.x_label, value: "{YYYY}-{MM}-{DD} {HH}:{mm}:{ss} UTC" } : { label: document_.x_label },
      ...document_.series.map((one, index) => ({
        label: one.label, stroke: COLOURS[index % COLOURS.length], width: 1.75, spanGaps: !document_.gaps, points: { show: one.x.length < 40, size: 5 },
      })),
    ],
  };
}

// A single moment would get an axis of a whole day.
function frame(plot, isTime) {
  const [xs] = plot.data;
  if (isTime && xs.length === 1) plot.setScale("x", { min: xs[0] - ALONE_SECONDS, max: xs[0] + ALONE_SECONDS });
}

async function draw(figure) {
  const canvas = figure.querySelector(".chart-canvas");
  const status = figure.querySelector("[data-chart-status]");
  try {
    const response = await fetch(figure.dataset.chartUrl, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(String(response.status));
    const document_ = await response.json();
    if (!document_.series.some((one) => one.x.length)) {
      status.textContent = "Nothing has been recorded yet.";
      return;
    }
    status.textContent = "";
    const data = align(document_.series);
    fillTable(figure.querySelector("table"), document_, data);
    if (figure.plot && figure.plot.series.length === data.length) {
      figure.plot.setData(data);
    } else {
      figure.plot?.destroy();
      figure.plot = new window.uPlot(options(document_, canvas.clientWidth), data, canvas);
    }
    frame(figure.plot, document_.time);
  } catch {
    status.textContent = "The figures could not be read. Reload the page to try again.";
  }
}

const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const { plot } = target.parentElement;
    if (plot && target.clientWidth && plot.width !== target.clientWidth) plot.setSize({ width: target.clientWidth, height: HEIGHT });
  }
});

function start(root) {
  for (const figure of root.querySelectorAll("[data-chart-url]:not([data-chart-started])")) {
    figure.dataset.chartStarted = "";
    resized.observe(figure.querySelector(".chart-canvas"));
    draw(figure);
    const seconds = Number(figure.dataset.chartRefresh);
    if (seconds) {
      const timer = setInterval(() => (figure.isConnected ? draw(figure) : clearInterval(timer)), seconds * 1000);
    }
  }
}

document.addEventListener("htmx:load", (event) => start(event.target));
start(document);
