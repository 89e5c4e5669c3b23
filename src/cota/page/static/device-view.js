// One device: where it stands, what went wrong and what to do, its facts, its history.

import { get } from "./api.js";
import { address, foreign, h, plainTable, prose, put, setText, toast } from "./dom.js";
import { assignDevices, retryDevices } from "./dialogs.js";
import { ago, moment, release, stateWord } from "./words.js";

// What a board tells of itself (client attributes), in the order and the words of people.
const FACTS = {
  board_id: "Board", circuitpython: "CircuitPython", micropython: "MicroPython", cpython: "CPython", cota_version: "cOTA", cota_commit: "Commit",
  free_bytes: "Free on the drive", free_heap: "Free memory", runs: "Runs since power-on", cota_trial: "Last trial", cota_refused: "Refuses the assigned release",
  cota_last_error: "Last error", cota_settings: "Settings", cota_retry: "Last retry",
};
const BYTES = new Set(["free_bytes", "free_heap"]);

export class DeviceView {
  constructor(fleet, errors, id) {
    Object.assign(this, { fleet, errors, id, detail: null, stamp: "" });
    this.name = h("bdi");
    this.state = h("div", { class: "big-state" });
    this.trouble = h("section", { class: "panel trouble", hidden: true, "aria-labelledby": "trouble-title" });
    this.facts = h("section", { class: "panel", "aria-labelledby": "facts-title" });
    this.past = h("section", { class: "panel", "aria-labelledby": "past-title" });
    this.assign = h("button", { type: "button", class: "main", on: { click: () => this._act(assignDevices) } }, "Assign…");
    this.retry = h("button", { type: "button", on: { click: () => this._act(retryDevices) } }, "Retry…");
    this.element = h("div", { class: "device" },
      h("p", { class: "small" }, h("a", { href: "#/" }, "← Fleet")),
      h("div", { class: "title" }, h("h1", { id: "device-title", tabindex: "-1" }, this.name), h("div", { class: "buttons" }, this.retry, this.assign)),
      this.state, this.trouble, this.facts, this.past);
    this._changed = () => this.draw();
    fleet.addEventListener("change", this._changed);
  }

  start() {
    this.draw();
    this.element.querySelector("h1").focus({ preventScroll: true });
  }

  stop() {
    this.stopped = true;
    this.fleet.removeEventListener("change", this._changed);
  }

  get row() {
    return this.fleet.rows.get(this.id);
  }

  draw() {
    const { row } = this;
    this.assign.disabled = !row;
    this.retry.disabled = !row || !(row.group === "failed" || row.error);
    if (!row) {
      setText(this.name, this.fleet.loaded ? "This device does not exist any more" : "Loading…");
      put(this.state);
      return;
    }
    setText(this.name, row.name);
    const stamp = JSON.stringify(row);
    if (stamp === this.stamp) return;
    this.stamp = stamp;
    this._state(row);
    this._trouble(row);
    this._load();
  }

  _state(row) {
    const runs = release(row.title, row.version), target = release(row.toTitle, row.toVersion);
    this.state.dataset.group = row.group;
    const bar = h("span", { class: "bar" }, h("span"));
    bar.firstChild.style.inlineSize = `${row.percent}%`;
    put(this.state, h("span", { class: "dot" }), h("strong", {}, foreign(stateWord(row.state))),
      row.group === "waiting" || row.group === "updating" ? bar : null,
      h("span", { class: "small" }, row.since ? `since ${moment(row.since)}` : ""),
      h("span", { class: "small" }, row.active ? "" : "The board is silent: the server has not heard from it for a while."),
      h("dl", { class: "pair" },
        h("dt", {}, "Runs"), h("dd", {}, runs ? foreign(runs) : "not reported"),
        h("dt", {}, "Assigned"), h("dd", {}, target ? foreign(target) : "nothing", row.assigned ? h("span", { class: "small" }, ` ${moment(row.assigned)}`) : null),
        h("dt", {}, "Last seen"), h("dd", {}, `${ago(row.seen, this.fleet.now)}`, row.seen ? h("span", { class: "small" }, ` ${moment(row.seen)}`) : null)));
  }

  _trouble(row) {
    this.trouble.hidden = !row.error;
    if (!row.error) return;
    const known = this.errors[row.code];
    const wait = /, next try in (\d+) s$/.exec(row.error);
    this.trouble.dataset.group = row.later ? "waiting" : "failed";
    const next = row.later ? `The board tries again by itself${wait ? `, ${wait[1]} s after it said so` : ""}.`
      : row.group === "failed" ? "The board has given this release up and runs the one it had." : "";
    put(this.trouble,
      h("h2", { id: "trouble-title" }, row.later ? "Not yet" : "Failed", ": ", known ? known.says : "see what the board said"),
      known ? h("p", {}, h("strong", {}, "What to do. "), ...prose(known.todo)) : null,
      next ? h("p", {}, next) : null,
      h("p", { class: "said" }, h("span", { class: "small" }, "The board said "), h("q", {}, foreign(row.error))),
      row.code ? h("p", { class: "small" }, "Code ", h("code", {}, row.code)) : null);
  }

  async _load() {
    const { stamp } = this;
    try {
      const detail = await get(`api/device/${this.id}`);
      if (this.stopped || stamp !== this.stamp) return;
      this.detail = detail;
      this._facts(detail);
      this._past(detail);
    } catch (error) {
      if (!this.stopped) put(this.facts, h("h2", { id: "facts-title" }, "Facts"), h("p", { class: "bad" }, [error.message, error.hint].filter(Boolean).join(" ")));
    }
  }

  _facts(detail) {
    const pair = (word, ...value) => [h("dt", {}, word), h("dd", {}, ...value)];
    const { package: one } = detail;
    const whose = detail.own ? "its own" : detail.inherited ? "from its profile" : "";
    const known = Object.entries(FACTS).filter(([key]) => detail.facts[key] !== undefined && detail.facts[key] !== "");
    const more = Object.keys(detail.facts).filter((key) => !Object.hasOwn(FACTS, key) && !key.startsWith("fw_")).sort();
    put(this.facts, h("h2", { id: "facts-title" }, "Facts"),
      h("dl", { class: "facts" },
        pair("Profile", foreign(detail.profile)),
        pair("Package", one ? [foreign(release(one.title, one.version)), h("span", { class: "small" }, ` ${whose}`)] : "none"),
        one?.url ? pair("From", address(one.url)) : null,
        known.map(([key, word]) => pair(word, foreign(fact(key, detail.facts[key])))),
        more.map((key) => [h("dt", {}, foreign(key)), h("dd", {}, foreign(fact(key, detail.facts[key])))])));
  }

  _past(detail) {
    const rows = detail.history.map((one) => [
      [h("time", { datetime: new Date(one.time).toISOString() }, moment(one.time))],
      [one.fw_state ? foreign(stateWord(one.fw_state)) : ""],
      [foreign(release(one.current_fw_title, one.current_fw_version) || (one.target_fw_title ? `→ ${release(one.target_fw_title, one.target_fw_version)}` : ""))],
      [foreign(one.fw_error || "")],
    ]);
    put(this.past, h("h2", { id: "past-title" }, "History"),
      rows.length ? plainTable({ class: "past", "aria-labelledby": "past-title" }, ["Time", "State", "Release", "What the board said"], rows)
        : h("p", { class: "small" }, "Nothing was reported in the last 30 days."));
  }

  async _act(act) {
    try {
      await act([this.row]);
    } catch (error) {
      toast(error.message);
    }
  }
}

function fact(key, value) {
  if (BYTES.has(key) && typeof value === "number") return `${Math.round(value / 1024).toLocaleString("en")} KiB`;
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
