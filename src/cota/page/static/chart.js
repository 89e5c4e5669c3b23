// The course of an update wave as stacked areas over time.

import { get } from "./api.js";
import { h, put, setText, foreign } from "./dom.js";
import { count, devices, moment, release, span } from "./words.js";

const ORDER = ["updated", "failed", "updating", "waiting"]; // from the bottom
const REFRESH_MS = 2000;
const HEIGHT = 168;

export class WaveChart {
  constructor(fleet) {
    this.fleet = fleet;
    this.chosen = "";
    this.drawn = "";
    this.asking = false;
    this.due = 0;
    this.data = null;
    this.pick = h("select", { "aria-label": "Update wave", on: { change: () => { this.chosen = this.pick.value; this.drawn = ""; this.refresh(); } } });
    this.place = h("div", { class: "plot", role: "img" });
    this.words = h("p", { class: "small wave-words" });
    this.legend = h("ul", { class: "legend" }, ORDER.map((group) =>
      h("li", { "data-group": group }, h("span", { class: "dot" }), group[0].toUpperCase() + group.slice(1))));
    this.element = h("section", { class: "panel wave", "aria-labelledby": "wave-title" },
      h("div", { class: "panel-head" }, h("h2", { id: "wave-title" }, "Update wave"), this.pick), this.place, this.legend, this.words);
    this._size = new ResizeObserver(() => this.plot?.setSize({ width: this.place.clientWidth, height: HEIGHT }));
    this._size.observe(this.place);
    this._scheme = matchMedia("(prefers-color-scheme: dark)");
    this._repaint = () => this._plot();
    this._scheme.addEventListener("change", this._repaint);
    document.addEventListener("cota-theme", this._repaint);
  }

  stop() {
    clearTimeout(this.due);
    this._size.disconnect();
    this._scheme.removeEventListener("change", this._repaint);
    document.removeEventListener("cota-theme", this._repaint);
    this.plot?.destroy();
    this.stopped = true;
  }

  /** The fleet changed: look whether that concerns the wave shown. */
  refresh() {
    const waves = this.fleet.waves();
    this.element.hidden = waves.length === 0;
    if (!waves.length) return;
    this._choices(waves);
    const wave = waves.find((one) => one.key === this.chosen) || waves[0];
    const stamp = `${wave.key} ${wave.stamp} ${wave.devices}`;
    if (stamp === this.drawn || this.asking || this.due) return;
    this._ask(wave, stamp);
  }

  _choices(waves) {
    const keys = waves.map((one) => one.key).join();
    if (keys !== this.keys) {
      this.keys = keys;
      put(this.pick, waves.map((one) => h("option", { value: one.key }, release(one.title, one.version))));
    }
    if (!waves.some((one) => one.key === this.chosen)) this.chosen = waves[0].key;
    this.pick.value = this.chosen;
  }

  async _ask(wave, stamp) {
    this.asking = true;
    try {
      const query = new URLSearchParams({ title: wave.title, version: wave.version });
      const found = await get(`api/wave?${query}`);
      if (this.stopped) return;
      this.drawn = stamp;
      this.data = found;
      this._plot();
      this._tell(wave);
    } catch (error) {
      if (!this.stopped) setText(this.words, error.message);
    } finally {
      this.asking = false;
      // At most so often, however much changes; a wave under way also moves on by the clock.
      if (!this.stopped) this.due = setTimeout(() => {
        this.due = 0;
        if (this.data && this.data.ended === null && !document.hidden) this.drawn = "";
        this.refresh();
      }, this.data?.ended === null ? REFRESH_MS * 2 : REFRESH_MS);
    }
  }

  _tell(wave) {
    const { counts, times, began, ended, exact } = this.data;
    const last = (group) => counts[group].at(-1) || 0;
    const parts = [`${count(last("updated"))} of ${devices(this.data.devices)} updated`];
    if (last("failed")) parts.push(`${count(last("failed"))} failed`);
    if (last("updating")) parts.push(`${count(last("updating"))} updating`);
    if (last("waiting")) parts.push(`${count(last("waiting"))} waiting`);
    const time = ended === null ? `under way for ${span(times.at(-1) - began)}` : `took ${span(ended - began)}`;
    const text = `${parts.join(", ")}. Began ${moment(began)}, ${time}.${exact ? "" : " Times of the latest devices are approximate."}`;
    setText(this.words, text);
    this.place.setAttribute("aria-label", `Chart of the wave ${release(wave.title, wave.version)}: ${text}`);
  }

  _plot() {
    if (!this.data?.times.length || this.stopped) return;
    const { times, counts } = this.data;
    // A canvas knows no variables and no light-dark(): the browser resolves them on an element.
    const probe = h("span");
    this.place.replaceChildren(probe);
    const colour = (name) => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; };
    const x = times.map((time) => time / 1000);
    // A wave that is over at once still needs a width.
    if (x.length === 1) x.push(x[0] + 1);
    const rising = [];
    const sum = x.map(() => 0);
    for (const group of ORDER) {
      const line = counts[group];
      x.forEach((_, at) => { sum[at] += line[Math.min(at, line.length - 1)]; });
      rising.push([...sum]);
    }
    const stepped = uPlot.paths.stepped({ align: 1 });
    const clock = new Intl.DateTimeFormat(undefined, x.at(-1) - x[0] < 600 ? { timeStyle: "medium" } : x.at(-1) - x[0] < 86400 ? { timeStyle: "short" } : { dateStyle: "short", timeStyle: "short" });
    const axis = { stroke: colour("ink-2"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const options = {
      width: this.place.clientWidth, height: HEIGHT, legend: { show: false }, cursor: { show: false }, select: { show: false },
      scales: { y: { range: (_plot, _min, max) => [0, Math.max(1, max)] } },
      axes: [{ ...axis, size: 28, space: 110, values: (_plot, ticks) => ticks.map((tick) => clock.format(tick * 1000)) }, { ...axis, size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] }],
      // The highest line first, so that each lower area covers what is not its own.
      series: [{}, ...ORDER.map((group) => ({ stroke: colour(group), fill: colour(group), width: 0, points: { show: false }, paths: stepped })).reverse()],
    };
    this.plot?.destroy();
    this.place.replaceChildren();
    this.plot = new uPlot(options, [x, ...rising.reverse()], this.place);
  }
}
