// The fleet in this browser: rows by id, kept fresh by the stream; what the filter leaves of it; counts. No drawing here.

import { GROUPS, release } from "./words.js";

const byName = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const RANK = Object.fromEntries(["failed", "updating", "waiting", "none", "updated"].map((name, at) => [name, at]));
const ORDERS = {
  name: null,
  state: (a, b) => RANK[a.group] - RANK[b.group] || a.percent - b.percent,
  release: (a, b) => byName.compare(release(a.title, a.version), release(b.title, b.version)),
  target: (a, b) => byName.compare(release(a.toTitle, a.toVersion), release(b.toTitle, b.toVersion)),
  seen: (a, b) => b.seen - a.seen,
};

export class Fleet extends EventTarget {
  constructor() {
    super();
    this.clear();
    this.filter = { text: "", group: "", release: "", profile: "" };
    this.order = { key: "name", down: false };
    this.skew = 0; // the server's clock minus ours: "5 s ago" must not depend on a laptop's clock
    this._frame = 0;
    this._news = [];
  }

  clear() {
    this.rows = new Map();
    this.sorted = []; // all rows by name
    this.shown = []; // what the filter leaves, in the chosen order
    this.counts = {};
    this.releases = [];
    this.profiles = [];
    this.loaded = false;
    this._coming = null;
  }

  get now() {
    return Date.now() + this.skew;
  }

  /** Take a portion of the stream. Drawing waits for the next frame, so that a burst of portions costs one. */
  take(portion) {
    if (portion.now) this.skew = portion.now - Date.now();
    if (portion.whole) this._coming = new Map();
    if (this._coming) {
      for (const row of portion.rows) this._coming.set(row.id, row);
      // The first portion of a fleet is worth showing at once; a later whole one replaces what is there in one go.
      if (!portion.last && this.loaded) return;
      this.rows = this._coming;
      this.sorted = null;
      if (portion.last) { this._coming = null; this.loaded = true; }
    } else {
      for (const id of portion.removed || []) { this.rows.delete(id); this.sorted = null; }
      for (const row of portion.rows) {
        const before = this.rows.get(row.id);
        if (!before || before.name !== row.name) this.sorted = null;
        if (before && before.group !== row.group) this._news.push(row);
        this.rows.set(row.id, row);
      }
    }
    this.draw();
  }

  /** Set some of the filter. */
  setFilter(change) {
    Object.assign(this.filter, change);
    this.draw();
  }

  setOrder(key) {
    this.order = { key, down: this.order.key === key && !this.order.down };
    this.draw();
  }

  draw() {
    if (this._frame) return;
    // A page in the background gets no frames; a timer sees that it does not grow stale for ever.
    const act = () => { cancelAnimationFrame(this._frame); clearTimeout(slow); this._frame = 0; this._update(); };
    const slow = setTimeout(act, 500);
    this._frame = requestAnimationFrame(act);
  }

  _update() {
    if (!this.sorted) {
      this.sorted = [...this.rows.values()].sort((a, b) => byName.compare(a.name, b.name));
    } else {
      for (let at = 0; at < this.sorted.length; at++) this.sorted[at] = this.rows.get(this.sorted[at].id);
    }
    const { text, group, release: wanted, profile } = this.filter;
    const needle = text.trim().toLowerCase();
    const counts = { all: this.sorted.length, silent: 0 };
    for (const [name] of GROUPS) counts[name] = 0;
    const releases = new Map(), profiles = new Set(), shown = [];
    for (const row of this.sorted) {
      counts[row.group] += 1;
      if (!row.active) counts.silent += 1;
      const runs = release(row.title, row.version);
      releases.set(runs, (releases.get(runs) || 0) + 1);
      profiles.add(row.profile);
      if (group === "silent" ? row.active : group && row.group !== group) continue;
      if (wanted && runs !== wanted.slice(1)) continue;
      if (profile && row.profile !== profile) continue;
      if (needle && !haystack(row).includes(needle)) continue;
      shown.push(row);
    }
    const order = ORDERS[this.order.key];
    if (order) shown.sort(order); // stable: equal ones stay by name
    if (this.order.down) shown.reverse();
    this.counts = counts;
    this.releases = [...releases].sort((a, b) => b[1] - a[1] || byName.compare(a[0], b[0]));
    this.profiles = [...profiles].sort(byName.compare);
    this.shown = shown;
    const news = this._news;
    this._news = [];
    this.dispatchEvent(new CustomEvent("change", { detail: { news } }));
  }

  /** The waves, the newest first: each release that devices were sent to. */
  waves() {
    const found = new Map();
    for (const row of this.rows.values()) {
      if (!row.assigned || !row.toTitle) continue;
      const key = JSON.stringify([row.toTitle, row.toVersion]);
      const wave = found.get(key) || { key, title: row.toTitle, version: row.toVersion, last: 0, devices: 0, stamp: 0 };
      wave.last = Math.max(wave.last, row.assigned);
      wave.devices += 1;
      wave.stamp = (wave.stamp * 31 + row.since + row.assigned) % 9007199254740881;
      found.set(key, wave);
    }
    return [...found.values()].sort((a, b) => b.last - a.last);
  }
}

function haystack(row) {
  return `${row.name}\n${row.label}\n${row.title} ${row.version}\n${row.toTitle} ${row.toVersion}\n${row.error}\n${row.profile}`.toLowerCase();
}
