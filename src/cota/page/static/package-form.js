// The form for a new package, and the question before one is deleted.

import { AskError, post, send } from "./api.js";
import { ask } from "./dialogs.js";
import { foreign, h, setText } from "./dom.js";
import { count, devices, release } from "./words.js";

let largest = Infinity;
/** How many bytes a file may have at most, as the page's server says. */
export function setLargest(bytes) {
  largest = bytes;
}

function field(name, word, hint, props = {}) {
  const input = h("input", { id: `field-${name}`, name, type: "text", autocomplete: "off", spellcheck: "false", "aria-describedby": `hint-${name}`, ...props });
  return row(name, word, hint, input);
}

function row(name, word, hint, input) {
  const said = h("p", { class: "small", id: `hint-${name}` }, hint);
  const parts = h("div", {}, h("label", { for: `field-${name}` }, word), input, said);
  return { name, input, said, hint, parts };
}

/** Make a package of a URL or of a file. */
export function createPackage(profiles) {
  const title = field("title", "Title", "Such as weather. With the version it is the package's name.", { required: true, maxlength: 255 });
  const version = field("version", "Version", "Such as v1.2.0.", { required: true, maxlength: 255 });
  const url = field("url", "URL", "https://github.com/OWNER/NAME/tree/TAG-OR-COMMIT, with a folder behind it if you like. A tag or commit names the same files for ever; a branch does not.", { maxlength: 255, inputmode: "url" });
  const file = field("file", "File", "Boards with cOTA install from a URL only. A file is for other boards of this server.", { type: "file" });
  const profile = row("profile", "Device profile", "", h("select", { id: "field-profile", "aria-describedby": "hint-profile" },
    profiles.map((one) => h("option", { value: one.id, selected: one.default }, one.name))));
  const fields = [title, version, url, file, profile];
  const kinds = [["url", "A URL that boards fetch it from"], ["file", "A file that is uploaded to ThingsBoard"]].map(([value, word]) => {
    const input = h("input", { type: "radio", name: "from", value, id: `from-${value}`, checked: value === "url" });
    return { value, input, parts: h("label", { class: "choice", for: `from-${value}` }, input, word) };
  });
  const isFile = () => kinds.find((one) => one.input.checked).value === "file";
  const turn = () => { url.parts.hidden = isFile(); file.parts.hidden = !isFile(); };
  for (const one of kinds) one.input.addEventListener("change", turn);
  turn();
  const made = ask({
    title: "New package", act: "Make the package", first: title.input,
    ready: () => [title, version].every((one) => one.input.value.trim()) && profile.input.value !== "" && (isFile() ? file.input.files.length > 0 : url.input.value.trim() !== ""),
    body: [title.parts, version.parts,
      h("fieldset", {}, h("legend", {}, "Where its files are"), kinds.map((one) => one.parts)), url.parts, file.parts, profile.parts,
      h("p", { class: "small" }, "Nothing is sent to any device yet.")],
    run: async (say) => {
      const names = { title: title.input.value, version: version.input.value, profile: profile.input.value };
      if (!isFile()) return post("api/packages", { ...names, url: url.input.value });
      const [chosen] = file.input.files;
      const size = `${count(Math.ceil(chosen.size / 1000))} kB`;
      // Told here, before it travels; the page's server refuses it as well.
      if (chosen.size > largest) throw new AskError(413, { message: "Some fields need another look.", fields: { file: `This file is too large: it has ${size}, and ${count(largest / 1000)} kB is the most.` } });
      say(`Sending ${size}…`);
      return send("api/packages/file", { ...names, file: chosen.name }, chosen);
    },
  });
  title.input.form.addEventListener("refused", (event) => {
    let first = null;
    for (const one of fields) {
      const text = event.detail.fields[one.name];
      one.input.setAttribute("aria-invalid", String(Boolean(text)));
      one.said.classList.toggle("bad", Boolean(text));
      setText(one.said, text || one.hint);
      if (text && !first) first = one.input;
    }
    first?.focus();
  });
  return made;
}

/** Delete a package. `runs` is how many devices run it. */
export function deletePackage(one, runs) {
  const name = release(one.title, one.version);
  return ask({
    title: `Delete ${name}`, act: "Delete",
    body: [h("p", {}, "The package is taken out of ThingsBoard. Its ", one.url ? "repository" : "file on your computer", " and what boards run stay as they are."),
      runs ? h("p", {}, `${devices(runs)} ${runs === 1 ? "runs" : "run"} `, foreign(name), " and will go on with it.") : null,
      h("p", { class: "small" }, "ThingsBoard refuses it while a profile or a device still has the package assigned.")],
    run: async () => { await post(`api/packages/${one.id}/delete`, {}); return true; },
  });
}
