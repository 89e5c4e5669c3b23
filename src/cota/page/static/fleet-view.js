// The fleet view: counts by state and by release, the wave, filter and search, the table, and what to do with the chosen devices.

import { WaveChart } from "./chart.js";
import { announce, foreign, h, put, setText } from "./dom.js";
import { assignDevices, retryDevices } from "./dialogs.js";
import { DeviceTable } from "./table.js";
import { GROUPS, count, devices } from "./words.js";

const MOST_RELEASES = 6;

export class FleetView {
  constructor(fleet, chosen) {
    this.fleet = fleet;
    this.chosen = chosen;
    this.table = new DeviceTable(fleet, chosen, () => this._tools());
    this.wave = new WaveChart(fleet);
    this.numbers = new Map();
    const states = h("div", { class: "states", role: "group", "aria-label": "Filter by state" },
      [["", "All"], ...GROUPS, ["silent", "Silent"]].map(([group, word]) => this._state(group, word)));
    this.strip = h("div", { class: "strip", "aria-hidden": "true" }, GROUPS.map(([group]) => h("span", { "data-group": group })));
    this.releases = h("ul", { class: "releases" });
    this.search = h("input", { type: "search", placeholder: "Search name, release, error…", "aria-label": "Search devices", id: "search",
      value: fleet.filter.text, on: { input: () => fleet.setFilter({ text: this.search.value }) } });
    this.profile = h("select", { "aria-label": "Filter by profile", on: { change: () => fleet.setFilter({ profile: this.profile.value }) } });
    this.found = h("span", { class: "small", id: "found", role: "status" });
    this.clear = h("button", { type: "button", class: "quiet", on: { click: () => this._clear() } }, "Clear filter");
    this.assign = h("button", { type: "button", class: "main", on: { click: () => this._act(assignDevices) } }, "Assign…");
    this.retry = h("button", { type: "button", on: { click: () => this._act(retryDevices) } }, "Retry…");
    this.none = h("button", { type: "button", class: "quiet", on: { click: () => { chosen.clear(); this._tools(); this.table.draw(); } } }, "Choose none");
    this.number = h("span", { role: "status" });
    this.tools = h("div", { class: "tools", hidden: true, role: "group", "aria-label": "With the chosen devices" }, this.number, this.assign, this.retry, this.none);
    this.releasePanel = h("section", { class: "panel", "aria-labelledby": "releases-title" }, h("h2", { id: "releases-title" }, "Releases that run"), this.releases);
    this.element = h("div", { class: "fleet" }, h("h1", { class: "unseen" }, "Fleet"),
      h("section", { class: "panel summary", "aria-label": "Counts by state" }, states, this.strip),
      h("div", { class: "two" }, this.releasePanel, this.wave.element),
      h("div", { class: "filter" }, this.search, this.profile, this.found, this.clear),
      this.table.element, this.tools);
    this._changed = (event) => this.draw(event.detail.news);
    fleet.addEventListener("change", this._changed);
    this._slash = (event) => {
      if (event.key !== "/" || event.target.closest("input, select, textarea, dialog")) return;
      event.preventDefault();
      this.search.focus();
    };
    addEventListener("keydown", this._slash);
    this.waves = 0;
  }

  /** After it is in the document. */
  start() {
    this.draw([]);
  }

  stop() {
    this.fleet.removeEventListener("change", this._changed);
    removeEventListener("keydown", this._slash);
    this.table.stop();
    this.wave.stop();
  }

  _state(group, word) {
    const number = h("b", {}, "0");
    const button = h("button", { type: "button", "data-group": group || "all", "aria-pressed": "false",
      on: { click: () => this.fleet.setFilter({ group: this.fleet.filter.group === group ? "" : group }) } },
      number, h("span", {}, h("span", { class: "dot" }), word));
    this.numbers.set(group, [button, number]);
    return button;
  }

  draw(news) {
    const { counts, filter, shown, rows } = this.fleet;
    if (counts.all === undefined) { this.table.draw(); return; }
    for (const [group, [button, number]] of this.numbers) {
      setText(number, count(counts[group || "all"] || 0));
      button.setAttribute("aria-pressed", String(filter.group === group));
      button.hidden = (group === "none" || group === "silent") && !counts[group] && filter.group !== group;
    }
    for (const part of this.strip.children) {
      part.style.flexGrow = String(counts[part.dataset.group] || 0);
      part.hidden = !counts[part.dataset.group];
    }
    this._releases();
    this._profiles();
    setText(this.found, shown.length === rows.size ? "" : `${count(shown.length)} of ${devices(rows.size)}`);
    this.clear.hidden = !(filter.text || filter.group || filter.release || filter.profile);
    for (const id of this.chosen) if (!rows.has(id)) this.chosen.delete(id);
    this._tools();
    this.table.draw();
    this.wave.refresh();
    this._say(news);
  }

  /** Tell what happened in one sentence, however many devices it was. */
  _say(news) {
    const parts = [];
    for (const [group, word] of [["failed", "failed"], ["updated", "updated"]]) {
      const those = news.filter((row) => row.group === group);
      if (those.length === 1) parts.push(`${those[0].name} ${word}`);
      else if (those.length) parts.push(`${devices(those.length)} ${word}`);
    }
    if (parts.length) announce(`${parts.join(", ")}.`);
  }

  _releases() {
    const { releases, filter, rows } = this.fleet;
    const held = this.releases.contains(document.activeElement) ? document.activeElement.dataset.release : null;
    const stamp = JSON.stringify([releases, filter.release]);
    if (stamp === this.stamp) return;
    this.stamp = stamp;
    const shown = releases.slice(0, MOST_RELEASES);
    put(this.releases, shown.map(([name, number]) => {
      const bar = h("span", { class: "share" });
      bar.style.inlineSize = `${(100 * number) / Math.max(1, rows.size)}%`;
      return h("li", {}, h("button", { type: "button", "data-release": `=${name}`, "aria-pressed": String(filter.release === `=${name}`),
        on: { click: () => this.fleet.setFilter({ release: filter.release === `=${name}` ? "" : `=${name}` }) } },
        bar, foreign(name || "not reported", { class: name ? "" : "small" }), h("b", {}, count(number))));
    }), releases.length > shown.length ? h("li", { class: "small more" }, `and ${releases.length - shown.length} more; search finds them`) : null);
    if (held !== null) [...this.releases.querySelectorAll("button")].find((one) => one.dataset.release === held)?.focus();
  }

  _profiles() {
    const { profiles, filter } = this.fleet;
    const stamp = JSON.stringify(profiles);
    if (stamp !== this.profileStamp) {
      this.profileStamp = stamp;
      put(this.profile, h("option", { value: "" }, "All profiles"), profiles.map((name) => h("option", { value: name }, name)));
    }
    this.profile.value = filter.profile;
    this.profile.hidden = profiles.length < 2 && !filter.profile;
  }

  _tools() {
    const number = this.chosen.size;
    if (!number && this.tools.contains(document.activeElement)) this.table.element.focus({ preventScroll: true });
    this.tools.hidden = number === 0;
    setText(this.number, `${devices(number)} chosen`);
  }

  _clear() {
    this.search.value = "";
    this.fleet.setFilter({ text: "", group: "", release: "", profile: "" });
    this.search.focus();
  }

  async _act(act) {
    const rows = [...this.chosen].map((id) => this.fleet.rows.get(id)).filter(Boolean);
    if (!rows.length) return;
    try {
      if (await act(rows)) { this.chosen.clear(); this._tools(); this.table.draw(); }
    } catch (error) {
      announce(error.message);
    }
  }
}
