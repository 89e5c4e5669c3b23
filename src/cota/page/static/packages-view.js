// Packages and profiles: what there is, who has what, and making and assigning one.

import { get } from "./api.js";
import { address, foreign, h, put, toast } from "./dom.js";
import { assignProfile, createPackage } from "./dialogs.js";
import { count, moment, release } from "./words.js";

export class PackagesView {
  constructor(fleet) {
    this.fleet = fleet;
    this.profiles = h("section", { class: "panel", "aria-labelledby": "profiles-title" });
    this.list = h("section", { class: "panel", "aria-labelledby": "packages-title" });
    this.create = h("button", { type: "button", class: "main", on: { click: () => this._create() } }, "New package…");
    this.element = h("div", { class: "packages" },
      h("div", { class: "title" }, h("h1", { tabindex: "-1" }, "Packages"), h("div", { class: "buttons" }, this.create)), this.profiles, this.list);
  }

  start() {
    this.element.querySelector("h1").focus({ preventScroll: true });
    this.load();
  }

  stop() {
    this.stopped = true;
  }

  async load() {
    try {
      const known = await get("api/packages");
      if (this.stopped) return;
      this.known = known;
      this._draw(known);
    } catch (error) {
      if (!this.stopped) put(this.list, h("p", { class: "bad" }, [error.message, error.hint].filter(Boolean).join(" ")));
    }
  }

  _draw({ packages, profiles }) {
    const byId = new Map(packages.map((one) => [one.id, one]));
    put(this.profiles, h("h2", { id: "profiles-title" }, "Profiles"), h("div", { class: "scroll" }, h("table", { class: "plain" },
      h("thead", {}, h("tr", {}, ["Profile", "Assigned package", ""].map((word) => h("th", { scope: "col" }, word || h("span", { class: "unseen" }, "Actions"))))),
      h("tbody", {}, profiles.map((profile) => {
        const one = byId.get(profile.package);
        return h("tr", {}, h("th", { scope: "row" }, foreign(profile.name)), h("td", {}, one ? foreign(release(one.title, one.version)) : "none"),
          h("td", { class: "do" }, this._button(`Assign to the profile ${profile.name}`, () => this._assign(profile, null))));
      })))));
    const runs = this._running();
    put(this.list, h("h2", { id: "packages-title" }, "All packages"),
      packages.length ? h("div", { class: "scroll" }, h("table", { class: "plain" },
        h("thead", {}, h("tr", {}, ["Package", "From", "Made", "Runs on", ""].map((word) => h("th", { scope: "col" }, word || h("span", { class: "unseen" }, "Actions"))))),
        h("tbody", {}, packages.map((one) => {
          const profile = profiles.find((each) => each.id === one.profile);
          return h("tr", {}, h("th", { scope: "row" }, foreign(release(one.title, one.version)), h("span", { class: "small block" }, foreign(profile ? profile.name : ""))),
            h("td", { class: "from" }, one.url ? address(one.url) : h("span", { class: "small" }, one.hasData ? ["an uploaded file, ", foreign(one.fileName || "")] : "no file yet")),
            h("td", {}, moment(one.created)), h("td", {}, count(runs.get(JSON.stringify([one.title, one.version])) || 0)),
            h("td", { class: "do" }, profile ? this._button(`Assign ${release(one.title, one.version)}`, () => this._assign(profile, one.id)) : null));
        })))) : h("p", { class: "small" }, "None yet. A package names a release: title, version, and where its files are."));
  }

  _running() {
    const runs = new Map();
    for (const row of this.fleet.rows.values()) {
      const key = JSON.stringify([row.title, row.version]);
      runs.set(key, (runs.get(key) || 0) + 1);
    }
    return runs;
  }

  _button(label, act) {
    return h("button", { type: "button", "aria-label": label, on: { click: act } }, "Assign…");
  }

  async _assign(profile, preset) {
    try {
      await assignProfile(profile, this.known.packages, preset);
    } catch (error) {
      toast(error.message);
    }
    // Also after a refusal: what somebody else changed meanwhile is shown now.
    await this.load();
  }

  async _create() {
    if (!this.known) return;
    const made = await createPackage(this.known.profiles);
    if (!made) return;
    toast(`Made the package ${release(made.title, made.version)}.`);
    await this.load();
  }
}
