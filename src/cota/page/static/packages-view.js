// Packages and profiles: what there is, who has what, and making and assigning one.

import { get } from "./api.js";
import { address, foreign, h, plainTable, put, toast } from "./dom.js";
import { assignProfile } from "./dialogs.js";
import { createPackage, deletePackage } from "./package-form.js";
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
      const held = this.element.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
      this._draw(known);
      // The buttons are new ones: the focus goes to the one of the same name, or to where it can go on from.
      if (held !== null) ([...this.element.querySelectorAll("button")].find((one) => one.getAttribute("aria-label") === held) || this.element.querySelector("h1")).focus({ preventScroll: true });
    } catch (error) {
      if (!this.stopped) put(this.list, h("p", { class: "bad" }, [error.message, error.hint].filter(Boolean).join(" ")));
    }
  }

  _draw({ packages, profiles }) {
    const byId = new Map(packages.map((one) => [one.id, one]));
    put(this.profiles, h("h2", { id: "profiles-title" }, "Profiles"),
      plainTable({ class: "plain", "aria-labelledby": "profiles-title" }, ["Profile", "Assigned package", ""], profiles.map((profile) => {
        const one = byId.get(profile.package);
        return [[foreign(profile.name)], [one ? foreign(release(one.title, one.version)) : "none"],
          [this._button("Assign…", `Assign to the profile ${profile.name}`, () => this._assign(profile, null))]];
      })));
    const runs = this._running();
    put(this.list, h("h2", { id: "packages-title" }, "All packages"), packages.length
      ? plainTable({ class: "plain", "aria-labelledby": "packages-title" }, ["Package", "From", "Made", "Runs on", ""], packages.map((one) => {
        const name = release(one.title, one.version);
        const profile = profiles.find((each) => each.id === one.profile);
        return [[foreign(name), h("span", { class: "small block" }, foreign(profile ? profile.name : ""))],
          one.url ? [address(one.url)] : one.hasData ? ["an uploaded file, ", foreign(one.fileName || "")] : ["no file yet"],
          [moment(one.created)], [count(runs.get(JSON.stringify([one.title, one.version])) || 0)],
          [profile && (one.url || one.hasData) ? this._button("Assign…", `Assign ${name}`, () => this._assign(profile, one.id)) : null,
            this._button("Delete…", `Delete ${name}`, () => this._delete(one))]];
      }))
      : h("p", { class: "small" }, "None yet. A package names a release: title, version, and where its files are."));
  }

  _running() {
    const runs = new Map();
    for (const row of this.fleet.rows.values()) {
      const key = JSON.stringify([row.title, row.version]);
      runs.set(key, (runs.get(key) || 0) + 1);
    }
    return runs;
  }

  _button(word, label, act) {
    return h("button", { type: "button", "aria-label": label, on: { click: act } }, word);
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

  async _delete(one) {
    const name = release(one.title, one.version);
    if (await deletePackage(one, this._running().get(JSON.stringify([one.title, one.version])) || 0)) toast(`Deleted the package ${name}.`);
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
