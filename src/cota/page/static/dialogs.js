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
function ask({ title, body, act, run, ready = () => true, first = null }) {
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
  body.push(h("label", { for: "dialog-package" }, "Package"), choice);
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
      h("label", { for: "dialog-package" }, "Package"), choice,
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

/** Make a URL package. */
export function createPackage(profiles) {
  const field = (name, word, hint, props = {}) => {
    const input = h("input", { id: `field-${name}`, name, type: "text", autocomplete: "off", spellcheck: "false", "aria-describedby": `hint-${name}`, ...props });
    return { name, input, hint: h("p", { class: "small", id: `hint-${name}` }, hint), told: hint, label: h("label", { for: `field-${name}` }, word) };
  };
  const fields = [
    field("title", "Title", "Such as weather. With the version it is the package's name.", { required: true, maxlength: 255 }),
    field("version", "Version", "Such as v1.2.0.", { required: true, maxlength: 255 }),
    field("url", "URL", "https://github.com/<owner>/<repo>/tree/<tag or commit>, with a folder behind it if you like. A tag or commit names the same files for ever; a branch does not.", { required: true, maxlength: 255, inputmode: "url" }),
  ];
  const profile = h("select", { id: "field-profile" }, profiles.map((one) => h("option", { value: one.id, selected: one.default }, one.name)));
  const wrong = h("p", { class: "small", id: "hint-profile" });
  const made = ask({
    title: "New package", act: "Make the package", first: fields[0].input,
    ready: () => fields.every((one) => one.input.value.trim()) && profile.value !== "",
    body: [
      ...fields.flatMap((one) => [one.label, one.input, one.hint]),
      h("label", { for: "field-profile" }, "Device profile"), profile, wrong,
      h("p", { class: "small" }, "Nothing is sent to any device yet. Boards fetch the files from the URL themselves."),
    ],
    run: () => post("api/packages", { ...Object.fromEntries(fields.map((one) => [one.name, one.input.value])), profile: profile.value }),
  });
  fields[0].input.form.addEventListener("refused", (event) => {
    let first = null;
    for (const one of fields) {
      const text = event.detail.fields[one.name];
      one.input.setAttribute("aria-invalid", String(Boolean(text)));
      one.hint.classList.toggle("bad", Boolean(text));
      setText(one.hint, text || one.told);
      if (text && !first) first = one.input;
    }
    setText(wrong, event.detail.fields.profile || "");
    first?.focus();
  });
  return made;
}
