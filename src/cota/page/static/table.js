// The device table: a real table of which only the rows near the window exist, so that 5,000 devices cost what 50 do.

import { h, put, setText } from "./dom.js";
import { ago, moment, release, stateWord } from "./words.js";

const SPARE_ROWS = 12; // above and below the window: a flick of the wheel shows no gap
const COLUMNS = [
  ["name", "Device"], ["state", "State"], ["release", "Runs"], ["target", "Assigned"], ["error", "Last error"], ["seen", "Last seen"],
];

export class DeviceTable {
  /** @param fleet @param {Set<string>} chosen ids @param {() => void} onChoose */
  constructor(fleet, chosen, onChoose) {
    this.fleet = fleet;
    this.chosen = chosen;
    this.onChoose = onChoose;
    this.made = new Map(); // id -> the row's element and parts
    this.lost = null; // where the focus was when its row left the window
    this.all = h("input", { type: "checkbox", "aria-label": "Choose all devices shown", on: { change: () => this._chooseAll() } });
    this.heads = new Map(COLUMNS.map(([key, word]) => [key, this._head(key, word)]));
    this.above = h("tbody", { class: "spare", "aria-hidden": "true" });
    this.body = h("tbody", { role: "rowgroup" });
    this.below = h("tbody", { class: "spare", "aria-hidden": "true" });
    this.table = h("table", { class: "devices", role: "table", "aria-label": "Devices" },
      h("thead", { role: "rowgroup" }, h("tr", { role: "row", "aria-rowindex": "1" },
        h("th", { role: "columnheader", scope: "col", class: "pick" }, this.all), [...this.heads.values()])),
      this.above, this.body, this.below);
    this.empty = h("p", { class: "empty", hidden: true });
    this.element = h("div", { class: "table-box", tabindex: "-1" }, this.table, this.empty);
    this._frame = 0;
    this._draw = () => { if (!this._frame) this._frame = requestAnimationFrame(() => { this._frame = 0; this.draw(); }); };
    addEventListener("scroll", this._draw, { passive: true });
    addEventListener("resize", this._draw);
    this._clock = setInterval(() => this.draw(), 15000); // "5 s ago" grows older by itself
    this.table.addEventListener("keydown", (event) => this._key(event));
  }

  stop() {
    removeEventListener("scroll", this._draw);
    removeEventListener("resize", this._draw);
    clearInterval(this._clock);
    cancelAnimationFrame(this._frame);
  }

  _head(key, word) {
    if (key === "error") return h("th", { role: "columnheader", scope: "col", class: key }, word);
    const button = h("button", { type: "button", on: { click: () => this.fleet.setOrder(key) } }, word);
    return h("th", { role: "columnheader", scope: "col", class: key }, button);
  }

  get _height() {
    return parseFloat(getComputedStyle(this.table).getPropertyValue("--row")) || 48;
  }

  /** Draw the rows that the window shows. */
  draw() {
    const { shown, order } = this.fleet, height = this._height;
    for (const [key, head] of this.heads) {
      const sort = order.key === key ? (order.down ? "descending" : "ascending") : key === "error" ? null : "none";
      if (sort && head.getAttribute("aria-sort") !== sort) head.setAttribute("aria-sort", sort);
    }
    const rows = String(shown.length + 1);
    if (this.table.getAttribute("aria-rowcount") !== rows) this.table.setAttribute("aria-rowcount", rows);
    const top = this.above.getBoundingClientRect().top;
    const first = Math.max(0, Math.min(Math.floor(-top / height) - SPARE_ROWS, shown.length));
    const last = Math.min(shown.length, first + Math.ceil(innerHeight / height) + 2 * SPARE_ROWS);
    const held = this._focus();
    const wanted = shown.slice(first, last), keep = new Set(wanted.map((row) => row.id));
    for (const [id, one] of this.made) {
      if (keep.has(id)) continue;
      if (held?.id === id) { this.lost = held; this.element.focus({ preventScroll: true }); }
      one.element.remove();
      this.made.delete(id);
    }
    let place = this.body.firstChild;
    wanted.forEach((row, at) => {
      const one = this.made.get(row.id) || this._make(row);
      if (one.element === place) place = place.nextSibling;
      else this.body.insertBefore(one.element, place);
      this._fill(one, row, first + at);
    });
    this._space(this.above, first * height);
    this._space(this.below, (shown.length - last) * height);
    this._restore(held);
    this._tellEmpty(shown.length);
    this.all.checked = shown.length > 0 && shown.every((row) => this.chosen.has(row.id));
    this.all.indeterminate = !this.all.checked && this.chosen.size > 0;
  }

  _space(body, height) {
    const text = `${height}px`;
    if (body.style.height !== text) body.style.height = text;
  }

  _tellEmpty(length) {
    const text = length ? "" : !this.fleet.loaded ? "Loading the fleet…"
      : this.fleet.rows.size ? "No device fits the filter." : "No devices yet. Make one in ThingsBoard, or let boards make their own.";
    this.empty.hidden = !text;
    setText(this.empty, text);
  }

  /** Which control of which device has the focus. */
  _focus() {
    const row = document.activeElement?.closest?.("tr[data-id]");
    if (!row || !this.body.contains(row)) return null;
    return { id: row.dataset.id, pick: document.activeElement.type === "checkbox" };
  }

  /** A row that moved or came back has the focus again, unless the operator has gone elsewhere. */
  _restore(held) {
    const due = held && document.activeElement === document.body ? held : this.lost;
    if (due !== held && document.activeElement !== this.element) { this.lost = null; return; }
    const one = due && this.made.get(due.id);
    if (!one) return;
    this.lost = null;
    (due.pick ? one.pick : one.link).focus({ preventScroll: true });
  }

  _make(row) {
    const cell = (name, ...children) => h("td", { role: "cell", class: name }, ...children);
    const one = {
      pick: h("input", { type: "checkbox", on: { change: () => this._choose(row.id, one.pick.checked) } }),
      link: h("a", { href: `#/device/${row.id}` }), name: h("bdi"), label: h("bdi", { class: "small" }),
      dot: h("span", { class: "dot" }), state: h("bdi"), bar: h("span", { class: "bar" }, h("span")),
      runs: h("bdi"), target: h("bdi"), code: h("span", { class: "code" }), error: h("bdi"), seen: h("time"),
    };
    one.link.append(one.name);
    one.element = h("tr", { role: "row", "data-id": row.id },
      cell("pick", one.pick),
      h("th", { role: "rowheader", scope: "row", class: "name" }, one.link, one.label),
      cell("state", one.dot, one.state, one.bar),
      cell("release", one.runs), cell("target", one.target),
      cell("error", one.code, one.error), cell("seen", one.seen));
    this.made.set(row.id, one);
    return one;
  }

  _fill(one, row, index) {
    const place = String(index + 2);
    if (one.element.getAttribute("aria-rowindex") !== place) one.element.setAttribute("aria-rowindex", place);
    one.pick.checked = this.chosen.has(row.id);
    one.element.classList.toggle("chosen", one.pick.checked);
    setText(one.seen, ago(row.seen, this.fleet.now));
    if (one.row === row) return;
    one.row = row;
    one.element.dataset.group = row.group;
    one.pick.setAttribute("aria-label", `Choose ${row.name}`);
    setText(one.name, row.name);
    setText(one.label, row.label || row.profile);
    setText(one.state, stateWord(row.state));
    one.element.classList.toggle("silent", !row.active);
    one.bar.hidden = row.group !== "updating" && row.group !== "waiting";
    one.bar.firstChild.style.inlineSize = `${row.percent}%`;
    const runs = release(row.title, row.version), target = release(row.toTitle, row.toVersion);
    setText(one.runs, runs || "–");
    setText(one.target, target && target !== runs ? target : target ? "the same" : "–");
    one.target.classList.toggle("small", target === runs);
    setText(one.code, row.code);
    one.code.hidden = !row.code;
    one.element.classList.toggle("calm", !row.error && target !== runs);
    one.code.classList.toggle("later", row.later);
    setText(one.error, row.error.replace(/^later: /, "").replace(row.code ? `${row.code} ` : "", ""));
    one.error.title = row.error;
    one.seen.title = moment(row.seen);
    if (row.seen) one.seen.dateTime = new Date(row.seen).toISOString();
  }

  _choose(id, yes) {
    if (yes) this.chosen.add(id); else this.chosen.delete(id);
    this.made.get(id)?.element.classList.toggle("chosen", yes);
    this.onChoose();
    this._draw();
  }

  _chooseAll() {
    const yes = this.all.checked;
    for (const row of this.fleet.shown) if (yes) this.chosen.add(row.id); else this.chosen.delete(row.id);
    this.onChoose();
    this.draw();
  }

  /** Up and down, Page Up and Page Down, Home and End go from row to row, in the column where the focus is. */
  _key(event) {
    const held = this._focus();
    if (!held || event.altKey || event.ctrlKey || event.metaKey) return;
    const { shown } = this.fleet, height = this._height, page = Math.max(1, Math.floor(innerHeight / height) - 3);
    const at = shown.findIndex((row) => row.id === held.id);
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, PageUp: at - page, PageDown: at + page, Home: 0, End: shown.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    this.focusRow(shown[Math.max(0, Math.min(shown.length - 1, to))].id, held.pick);
  }

  /** Bring a device's row into the window and put the focus there. */
  focusRow(id, pick = false) {
    const at = this.fleet.shown.findIndex((row) => row.id === id);
    if (at < 0) return;
    const height = this._height, head = this.table.tHead.offsetHeight;
    const top = this.above.getBoundingClientRect().top + at * height;
    if (top < head + 8) scrollBy(0, top - head - 8);
    else if (top + height > innerHeight - 16) scrollBy(0, top + height - innerHeight + 16);
    this.draw();
    const one = this.made.get(id);
    if (one) (pick ? one.pick : one.link).focus({ preventScroll: true });
  }
}
