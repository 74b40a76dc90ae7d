// A plot in the reader's own colours; the page's script says what is in it.

const DAY = 86400;
const two = (number) => String(number).padStart(2, "0");

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// `length` 16 ends with the minute, 19 with the second.
export function stamp(seconds, length = 16) {
  return `${new Date(seconds * 1000).toISOString().slice(0, length).replace("T", " ")} UTC`;
}

function ticks(plot, moments, axis, space, step) {
  return moments.map((moment, index) => {
    const date = new Date(moment * 1000);
    const day = `${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
    if (step >= DAY) return day;
    const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
    return index === 0 || time === "00:00" ? `${time}\n${day}` : time;
  });
}

export function axis(scale, label, more = {}) {
  const ink = () => colour("--muted");
  const line = { stroke: () => colour("--line"), width: 1 };
  return { scale, label, labelSize: 20, stroke: ink, grid: line, ticks: line, ...more };
}

// A value between two gaps makes no line: it is a dot.
function lonely(plot, series) {
  const values = plot.data[series];
  return values.flatMap((value, index) => (value != null && values[index - 1] == null && values[index + 1] == null ? [index] : []));
}

export const dots = { show: true, size: 5, filter: lonely };

// Draws itself anew when the colours turn, and follows the width of its place.
export class Plot {
  constructor(place, readout, spec) {
    this.place = place;
    this.readout = readout;
    this.spec = spec;
    this.data = spec.data();
    this.build();
    new ResizeObserver(() => this.plot.setSize(this.size())).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
    place.addEventListener("keydown", (event) => this.step(event));
  }

  size() {
    return { width: Math.max(280, this.place.clientWidth), height: innerWidth < 720 ? 260 : 340 };
  }

  build() {
    if (this.plot) this.plot.destroy();
    const options = {
      ...this.size(),
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      legend: { live: false, markers: { width: 2, dash: (plot, index) => (plot.series[index].dash ? "dashed" : "solid") } },
      cursor: { y: false },
      axes: [axis("x", undefined, { values: ticks, labelSize: 0, size: 44 }), ...this.spec.axes],
      scales: { x: { time: true }, ...this.spec.scales },
      series: [{}, ...this.spec.series],
      bands: this.spec.bands,
      hooks: { setCursor: [(plot) => this.tell(plot)], draw: this.spec.draw ? [this.spec.draw] : [] },
    };
    this.plot = new uPlot(options, this.data, this.place);
  }

  refresh() {
    const { min, max } = this.plot.scales.x;
    const before = this.data[0];
    const whole = before.length === 0 || (min <= before[0] && max >= before[before.length - 1]);
    this.data = this.spec.data();
    this.plot.setData(this.data, whole); // somebody who looks at a part keeps looking at it
    if (!whole) this.plot.redraw();
  }

  tell(plot) {
    const { idx, left } = plot.cursor;
    if (idx == null || left < 0) return;
    this.readout.replaceChildren(...this.spec.tell(plot, idx, left));
  }

  step(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (!by || this.data[0].length === 0) return;
    event.preventDefault();
    const now = this.plot.cursor.idx ?? (by < 0 ? this.data[0].length : -1);
    const next = Math.min(this.data[0].length - 1, Math.max(0, now + by));
    this.plot.setCursor({ left: this.plot.valToPos(this.data[0][next], "x"), top: 10 });
  }
}

export function line(text, className) {
  const shown = document.createElement("span");
  shown.textContent = text;
  if (className) shown.className = className;
  return shown;
}
