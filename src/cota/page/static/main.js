// Where it starts: who is logged in, which view the address names, and what happens when the session ends.

import { get, post, session, whenEnded } from "./api.js";
import { announce, h, put, setText, toast } from "./dom.js";
import { DeviceView } from "./device-view.js";
import { setPortion } from "./dialogs.js";
import { FleetView } from "./fleet-view.js";
import { Fleet } from "./fleet.js";
import { showLogIn } from "./login.js";
import { setLargest } from "./package-form.js";
import { PackagesView } from "./packages-view.js";
import { Stream } from "./stream.js";

const main = document.getElementById("main");
const top = document.getElementById("top");
const fleet = new Fleet();
const chosen = new Set();
let errors = {};
let view = null;
let stream = null;
let inside = false;
let lastDevice = "";

async function begin(sentence = "") {
  const key = /^#key=([\w-]+)$/.exec(location.hash)?.[1] || "";
  // The key must not stay in the address, where the next screenshot shows it.
  if (key) history.replaceState(null, "", location.pathname);
  let known;
  try {
    known = await session();
  } catch (error) {
    put(main, h("p", { class: "panel bad" }, `${error.message} ${error.hint}`));
    setTimeout(() => begin(sentence), 5000);
    return;
  }
  if (!known.user) known = await showLogIn(main, known, sentence, key);
  enter(known);
}

async function enter(known) {
  inside = true;
  setPortion(known.most);
  setLargest(known.largest);
  setText(document.getElementById("user"), known.user);
  document.getElementById("user").title = known.server;
  top.hidden = false;
  fleet.clear();
  stream = new Stream({ fleet: (portion) => fleet.take(portion), status: showStatus, end: (sentence) => leave(sentence), lost: () => session().then((now) => now.user || leave(now.ended || "Your session has ended. Log in again.")).catch(() => {}) });
  show();
  try {
    errors = await get("api/errors");
    if (view instanceof DeviceView) show();
  } catch (error) {
    toast(error.message);
  }
}

function leave(sentence) {
  if (!inside) return;
  inside = false;
  stream.stop();
  view?.stop();
  view = null;
  chosen.clear();
  fleet.clear();
  top.hidden = true;
  for (const dialog of document.querySelectorAll("dialog")) dialog.remove();
  announce(sentence);
  begin(sentence);
}

let said = "";
function showStatus({ well, message, hint }) {
  const place = document.getElementById("link-state");
  place.dataset.well = String(well);
  put(place, h("span", {}, well ? "Live" : "Not live"));
  place.title = well ? "Changes are shown as they happen." : [message, hint].filter(Boolean).join(" ");
  const now = well ? "" : place.title;
  if (now && now !== said) toast(now);
  said = now;
}

function show() {
  if (!inside) return;
  const [, name, id] = location.hash.split("/");
  view?.stop();
  if (name === "device") view = new DeviceView(fleet, errors, id);
  else if (name === "packages") view = new PackagesView(fleet);
  else view = new FleetView(fleet, chosen);
  put(main, view.element);
  for (const link of top.querySelectorAll("nav a")) {
    const here = link.dataset.view === "packages" ? name === "packages" : name !== "packages";
    if (here) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  document.title = name === "packages" ? "Packages – cOTA" : "Fleet – cOTA";
  scrollTo(0, 0);
  view.start();
  // Back from a device: the focus is on its row again.
  if (view instanceof FleetView && lastDevice) view.table.focusRow(lastDevice);
  lastDevice = name === "device" ? id : "";
}

whenEnded((sentence) => leave(sentence));
addEventListener("hashchange", show);
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
document.getElementById("log-out").addEventListener("click", async () => {
  try {
    await post("api/logout", {});
  } catch {
    // Out is out, whatever the server says.
  }
  leave("You logged out.");
});

const THEMES = ["system", "light", "dark"];
const theme = document.getElementById("theme");
function nameTheme() {
  const now = document.documentElement.dataset.theme || "system";
  setText(theme, { system: "◐", light: "○", dark: "●" }[now]);
  theme.setAttribute("aria-label", `Theme: ${now}. Change it.`);
  theme.title = `Theme: ${now}`;
}
theme.addEventListener("click", () => {
  const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme || "system") + 1) % THEMES.length];
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem("cota-theme", next);
  } catch {
    // It holds for this page then.
  }
  nameTheme();
  document.dispatchEvent(new Event("cota-theme"));
});
nameTheme();
begin();
