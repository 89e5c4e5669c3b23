// What changes something asks first: a dialog that says what will happen, to what, and then how it went.

import { get, post } from "./api.js";
import { foreign, h, put, setText, toast } from "./dom.js";
import { devices, moment, release } from "./words.js";

const NAMES_SHOWN = 6;
let portion = 50;
export function setPortion(most) {
  portion = Math.min(portion, most);
}

/**
 * Open a dialog and give what its act gave, or null where the operator thought better of it.
 * @param {Object} what `title`, `body` (nodes), `act` (word of the button), `run` (async (say) => result; throwing keeps the dialog open),
 *   `ready` (() => boolean), `first` (element that gets the focus)
 */
export function ask({ title, body, act, run, ready = () => true, first = null }) {
  return new Promise((resolve) => {
    const opener = document.activeElement;
    const told = h("p", { class: "told", role: "status" });
    const yes = h("button", { type: "submit", class: "main" }, act);
    const no = h("button", { type: "button", on: { click: () => finish(null) } }, "Cancel");
    const form = h("form", { method: "dialog" }, h("h2", { id: "dialog-title" }, title), ...body, told, h("div", { class: "buttons" }, no, yes));
    const dialog = h("dialog", { "aria-labelledby": "dialog-title" }, form);
    const check = () => { yes.disabled = busy || !ready(); };
    let busy = false;
    const finish = (result) => {
      dialog.close();
      dialog.remove();
      // Where the opener is gone (its row left the window), its place is near enough.
      if (opener?.isConnected) opener.focus({ preventScroll: true }); else document.getElementById("main").focus({ preventScroll: true });
      resolve(result);
    };
    dialog.addEventListener("cancel", (event) => { event.preventDefault(); if (!busy) finish(null); });
    form.addEventListener("input", check);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (busy || yes.disabled) return;
      busy = true;
      check();
      no.disabled = true;
      told.className = "told";
      try {
        finish(await run((text) => setText(told, text)));
      } catch (error) {
        told.className = "told bad";
        setText(told, [error.message, error.hint].filter(Boolean).join(" "));
        form.dispatchEvent(new CustomEvent("refused", { detail: error }));
      } finally {
        busy = false;
        no.disabled = false;
        check();
      }
    });
    document.body.append(dialog);
    dialog.showModal();
    check();
    (first || no).focus();
  });
}

function names(rows) {
  if (rows.length === 1) return null; // the title says it
  const shown = rows.slice(0, NAMES_SHOWN).map((row) => h("li", {}, foreign(row.name)));
  if (rows.length > NAMES_SHOWN) shown.push(h("li", { class: "small" }, `and ${rows.length - NAMES_SHOWN} more`));
  return h("ul", { class: "names" }, shown);
}

/** A warning that stands below a choice of packages while the one chosen holds a file, which boards with cOTA refuse. */
function fileWarning(choice, packages) {
  const told = h("p", { class: "warn", role: "status" });
  const look = () => {
    const one = packages.find((each) => each.id === choice.value);
    setText(told, one && !one.url ? "This package holds an uploaded file. Boards with cOTA install from a URL only, and will report the error no_url." : "");
  };
  choice.addEventListener("change", look);
  look();
  return told;
}

/** Send devices in portions, and collect how it went. */
async function inPortions(path, rows, make, say) {
  const all = { done: [], failed: {}, changed: [] };
  for (let at = 0; at < rows.length; at += portion) {
    if (rows.length > portion) say(`${at} of ${rows.length}…`);
    const part = await post(path, make(rows.slice(at, at + portion)));
    all.done.push(...part.done);
    all.changed.push(...part.changed);
    Object.assign(all.failed, part.failed);
  }
  return all;
}

async function report(word, rows, result) {
  const name = new Map(rows.map((row) => [row.id, row.name]));
  const failed = Object.entries(result.failed);
  if (result.done.length) toast(`${word} ${devices(result.done.length)}.`);
  if (!failed.length && !result.changed.length) return;
  const body = [];
  if (result.changed.length) {
    body.push(h("p", {}, `Somebody else assigned ${result.changed.length === 1 ? "this device" : "these devices"} meanwhile, so nothing was changed there. Look at them again:`));
    body.push(h("ul", { class: "names" }, result.changed.slice(0, 20).map((id) => h("li", {}, foreign(name.get(id) || id)))));
  }
  if (failed.length) {
    body.push(h("p", {}, "The server refused:"));
    body.push(h("ul", { class: "names" }, failed.slice(0, 20).map(([id, why]) => h("li", {}, foreign(name.get(id) || id), ": ", foreign(why)))));
  }
  await ask({ title: `${devices(failed.length + result.changed.length)} unchanged`, body, act: "Understood", run: async () => true });
}

/** Assign a package to devices. */
export async function assignDevices(rows) {
  const { packages, profiles } = await get("api/packages");
  const kinds = [...new Set(rows.map((row) => row.profile))];
  const profile = profiles.find((one) => one.name === kinds[0]);
  const fitting = kinds.length === 1 ? packages.filter((one) => one.profile === profile?.id) : [];
  const choice = h("select", { id: "dialog-package" }, h("option", { value: "" }, "Choose a package…"),
    fitting.map((one) => h("option", { value: one.id }, `${release(one.title, one.version)} (${moment(one.created)})`)),
    h("option", { value: "none" }, "None of their own: what the profile says"));
  const body = [names(rows)];
  if (kinds.length > 1) body.push(h("p", { class: "bad" }, "These devices have different profiles, and a package fits one profile. You can only take their own packages away."));
  else if (!fitting.length) body.push(h("p", { class: "bad" }, "No package fits this profile yet. Make one under Packages."));
  body.push(h("label", { for: "dialog-package" }, "Package"), choice, fileWarning(choice, fitting));
  const running = rows.filter((row) => row.group === "updating").length;
  if (running) body.push(h("p", { class: "warn" }, `${devices(running)} of these ${running === 1 ? "is" : "are"} in the middle of an update.`));
  body.push(h("p", { class: "small" }, "Each board sees it at its next look at the server, within a minute or so, downloads it, restarts and reports."));
  const result = await ask({
    title: `Assign to ${rows.length === 1 ? rows[0].name : devices(rows.length)}`, body, act: "Assign", first: choice, ready: () => choice.value !== "",
    run: (say) => inPortions("api/assign", rows, (part) => ({
      package: choice.value === "none" ? null : choice.value, devices: part.map((row) => ({ id: row.id, assigned: row.assigned })),
    }), say),
  });
  if (result) await report("Assigned to", rows, result);
  return result;
}

/** Assign a package to a profile. `known` is what the packages view shows. */
export async function assignProfile(profile, packages, preset = null) {
  const { devices: reach } = await get(`api/profile/${profile.id}/reach`);
  const fitting = packages.filter((one) => one.profile === profile.id);
  const choice = h("select", { id: "dialog-package" }, h("option", { value: "" }, "Choose a package…"),
    fitting.map((one) => h("option", { value: one.id }, `${release(one.title, one.version)} (${moment(one.created)})`)),
    profile.package ? h("option", { value: "none" }, "None") : null);
  if (preset) choice.value = preset;
  const current = packages.find((one) => one.id === profile.package);
  const result = await ask({
    title: `Assign to the profile ${profile.name}`, act: "Assign", first: choice,
    ready: () => choice.value !== "" && choice.value !== profile.package,
    body: [
      h("p", {}, "This reaches ", h("strong", {}, devices(reach)), " without a package of their own",
        current ? [". Now they are assigned ", foreign(release(current.title, current.version))] : null, "."),
      h("label", { for: "dialog-package" }, "Package"), choice, fileWarning(choice, fitting),
      h("p", { class: "small" }, "ThingsBoard tells about a hundred devices a minute, one after the other."),
    ],
    run: async () => {
      await post("api/assign-profile", { profile: profile.id, package: choice.value === "none" ? null : choice.value, seen: profile.package });
      return true;
    },
  });
  if (result) toast(`Assigned to the profile ${profile.name}.`);
  return result;
}

/** Ask devices to try the release once more that they gave up. */
export async function retryDevices(rows) {
  const result = await ask({
    title: `Retry on ${rows.length === 1 ? rows[0].name : devices(rows.length)}`, act: "Retry",
    body: [names(rows), h("p", { class: "small" }, "The boards try the release again that they gave up, at their next look at the server. Nothing else changes.")],
    run: (say) => inPortions("api/retry", rows, (part) => ({ devices: part.map((row) => ({ id: row.id })) }), say),
  });
  if (result) await report("Retry asked of", rows, result);
  return result;
}
