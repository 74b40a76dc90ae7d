// The plot of a pool: sizes, bounds, need, utilisation, and a mark for every scaling event.
import { Plot, axis, colour, dots, line, stamp } from "./plot.js";

const EVERY = 30_000; // milliseconds between two looks at what is new
const NEAR = 8; // pixels between a pointer and the mark that it means
const MOST_TOLD = 3;
const CROWDED = 120; // marks whose lines would hide everything else
const place = document.getElementById("plot");
const readout = document.getElementById("readout");
const shown = JSON.parse(document.getElementById("plot-data").textContent);
const NAMES = ["size", "running", "floor", "ceiling", "demand", "cpu", "memory"];
const stepped = uPlot.paths.stepped({ align: 1 });
const ink = (name) => () => colour(name);
const series = [
  { label: "Size", scale: "n", stroke: ink("--plot-1"), width: 2.5, paths: stepped },
  { label: "Running", scale: "n", stroke: ink("--plot-1"), width: 1.5, dash: [4, 3], paths: stepped },
  { label: "Floor", scale: "n", stroke: ink("--muted"), width: 1, paths: stepped },
  { label: "Ceiling", scale: "n", stroke: ink("--muted"), width: 1, dash: [8, 4], paths: stepped },
  { label: "Need", scale: "n", stroke: ink("--plot-2"), width: 1.5 },
  { label: "CPU %", scale: "%", stroke: ink("--plot-3"), width: 1.5 },
  { label: "Memory %", scale: "%", stroke: ink("--plot-3"), width: 1, dash: [2, 3] },
].map((one) => ({ ...one, points: dots, spanGaps: false }));

// A ceiling far above everything else would press the rest flat.
function instances() {
  const most = (names) => Math.max(1, ...names.flatMap((name) => shown.columns[name]).filter((value) => value !== null));
  const used = most(["size", "running", "floor", "demand"]);
  const ceiling = most(["ceiling"]);
  return [0, Math.ceil((ceiling <= 4 * used ? Math.max(used, ceiling) : used * 1.3) * 1.05) + 1];
}

function mark(context, kind, x, y, ratio) {
  const r = 6 * ratio;
  context.beginPath();
  if (kind === "SCALE_OUT") {
    context.moveTo(x, y); context.lineTo(x + r, y + 2 * r); context.lineTo(x - r, y + 2 * r);
    context.fill();
  } else if (kind === "SCALE_IN") {
    context.moveTo(x, y + 2 * r); context.lineTo(x + r, y); context.lineTo(x - r, y);
    context.fill();
  } else {
    context.moveTo(x - r, y); context.lineTo(x + r, y + 2 * r);
    context.moveTo(x + r, y); context.lineTo(x - r, y + 2 * r);
    context.stroke();
  }
}

function draw(plot) {
  const { ctx: context, bbox } = plot;
  const ratio = devicePixelRatio;
  const length = shown.marks.length > CROWDED ? 14 * ratio : bbox.height;
  context.save();
  context.setLineDash([]);
  for (const event of shown.marks) {
    const x = plot.valToPos(event.at, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    const tone = { SCALE_OUT: "--good", SCALE_IN: "--plot-2" }[event.kind] ?? "--bad";
    context.strokeStyle = context.fillStyle = colour(tone);
    context.lineWidth = ratio;
    context.globalAlpha = 0.45;
    context.beginPath();
    context.moveTo(x, bbox.top);
    context.lineTo(x, bbox.top + length);
    context.stroke();
    context.globalAlpha = 1;
    context.lineWidth = 2 * ratio;
    mark(context, event.kind, x, bbox.top, ratio);
  }
  context.restore();
}

const known = (value, unit = "") => (value == null ? "unknown" : `${value}${unit}`);

function tell(plot, index, left) {
  const at = Object.fromEntries(NAMES.map((name) => [name, shown.columns[name][index]]));
  const bounds = at.floor == null ? "" : ` · bounds ${at.floor}–${at.ceiling}`;
  const need = at.demand == null ? "" : ` · need ${at.demand}`;
  const values = at.size == null ? "nothing is known" : `size ${at.size} · running ${known(at.running)}${bounds}${need} · CPU ${known(at.cpu, " %")} · memory ${known(at.memory, " %")}`;
  const near = shown.marks
    .map((event) => [Math.abs(plot.valToPos(event.at, "x") - left), event])
    .filter(([distance]) => distance <= NEAR)
    .sort((one, other) => one[0] - other[0])
    .slice(0, MOST_TOLD);
  return [
    line(`${stamp(shown.columns.at[index])} · ${values}`),
    ...near.map(([, event]) => line(`${stamp(event.at, 19)} · ${event.kind.replaceAll("_", " ").toLowerCase()} ${event.size}: ${event.reason}`, "event")),
  ];
}

const plot = new Plot(place, readout, {
  data: () => [shown.columns.at, ...NAMES.map((name) => shown.columns[name])],
  axes: [
    axis("n", "Instances", { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10000], size: 44 }),
    axis("%", "Utilisation %", { side: 1, grid: { show: false }, size: 44 }),
  ],
  scales: { n: { range: instances }, "%": { range: [0, 105] } },
  series,
  bands: [{ series: [4, 3], fill: () => `${colour("--plot-1")}18` }],
  draw,
  tell,
});

function take(fresh) {
  const [first] = fresh.columns.at;
  if (first === undefined) return;
  const oldest = fresh.columns.at.at(-1) - Number(place.dataset.seconds);
  const kept = shown.columns.at.map((at, index) => [at, index]).filter(([at]) => at < first && at > oldest);
  for (const name of ["at", ...NAMES]) {
    shown.columns[name] = [...kept.map(([, index]) => shown.columns[name][index]), ...fresh.columns[name]];
  }
  const ids = new Set(fresh.marks.map((event) => event.id));
  const old = shown.marks.filter((event) => event.at > oldest && !ids.has(event.id));
  shown.marks = [...old, ...fresh.marks].sort((one, other) => one.at - other.at);
  plot.refresh();
}

setInterval(async () => {
  if (document.hidden) return;
  const since = shown.columns.at.at(-3) ?? 0; // the newest steps are still filling
  try {
    const answer = await fetch(`${place.dataset.url}&since=${since}`, { headers: { "X-Poll": "1" } });
    if (answer.ok) take(await answer.json());
  } catch {
    // the numbers above the plot say that central does not answer
  }
}, EVERY);
