// The plot of the whole fleet.
import { Plot, axis, colour, dots, line, stamp } from "./plot.js";

const EVERY = 60_000; // milliseconds; a row is added every five minutes
const place = document.getElementById("plot");
let shown = JSON.parse(document.getElementById("plot-data").textContent);
const NAMES = ["instances", "running", "peak", "cpu", "cpu_peak", "memory"];
const stepped = uPlot.paths.stepped({ align: 1 });
const ink = (name) => () => colour(name);
const series = [
  { label: "Instances", scale: "n", stroke: ink("--plot-1"), width: 2.5, paths: stepped },
  { label: "Running", scale: "n", stroke: ink("--plot-1"), width: 1.5, dash: [4, 3], paths: stepped },
  { label: "Most in 24 h", scale: "n", stroke: ink("--muted"), width: 1, dash: [8, 4], paths: stepped },
  { label: "CPU %", scale: "%", stroke: ink("--plot-3"), width: 1.5 },
  { label: "Busiest %", scale: "%", stroke: ink("--plot-2"), width: 1, dash: [6, 3] },
  { label: "Memory %", scale: "%", stroke: ink("--plot-3"), width: 1, dash: [2, 3] },
].map((one) => ({ ...one, points: dots, spanGaps: false }));

const known = (value, unit = "") => (value == null ? "unknown" : `${value}${unit}`);

function tell(_, index) {
  const at = Object.fromEntries(NAMES.map((name) => [name, shown.columns[name][index]]));
  const values = at.instances == null
    ? "nothing is known"
    : `instances ${at.instances} · running ${known(at.running)} · most in 24 h ${known(at.peak)} · CPU ${known(at.cpu, " %")} · busiest ${known(at.cpu_peak, " %")} · memory ${known(at.memory, " %")}`;
  return [line(`${stamp(shown.columns.at[index])} · ${values}`)];
}

function most() {
  const values = ["instances", "running", "peak"].flatMap((name) => shown.columns[name]);
  return [0, Math.ceil(Math.max(1, ...values.filter((value) => value !== null)) * 1.1)];
}

const plot = new Plot(place, document.getElementById("readout"), {
  data: () => [shown.columns.at, ...NAMES.map((name) => shown.columns[name])],
  axes: [
    axis("n", "Instances", { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000], size: 52 }),
    axis("%", "Utilisation %", { side: 1, grid: { show: false }, size: 44 }),
  ],
  scales: { n: { range: most }, "%": { range: [0, 105] } },
  series,
  tell,
});

setInterval(async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch(place.dataset.url, { headers: { "X-Poll": "1" } });
    if (!answer.ok) return;
    shown = await answer.json();
    plot.refresh();
  } catch {
    // the totals above the plot say that central does not answer
  }
}, EVERY);
