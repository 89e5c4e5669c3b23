// The log-in page.

import { logIn } from "./api.js";
import { h, put, setText } from "./dom.js";

/**
 * Show the log-in form and give the session once somebody is in.
 * @param {HTMLElement} place
 * @param {Object} session what the server says of the door
 * @param {string} sentence why the form is here, or ""
 * @param {string} key from the terminal's address, or ""
 */
export function showLogIn(place, session, sentence, key) {
  return new Promise((resolve) => {
    const byKey = session.door === "key";
    const told = h("p", { class: "told bad", role: "alert" });
    const input = (name, word, props) => [h("label", { for: name }, word), h("input", { id: name, name, required: true, ...props })];
    const fields = byKey
      ? input("key", "Key", { type: "password", autocomplete: "off", spellcheck: "false" })
      : [...input("username", "User name", { type: "text", autocomplete: "username", autocapitalize: "none", spellcheck: "false" }),
        ...input("password", "Password", { type: "password", autocomplete: "current-password" })];
    const button = h("button", { type: "submit", class: "main" }, "Log in");
    const where = session.server ? `The fleet on ${session.server}` : "The fleet of this lab";
    const hint = byKey ? "The terminal that runs cota shows an address with the key in it."
      : session.server ? "With a tenant administrator's account of that server." : "The terminal that runs cota lab shows the user; the password was shown at its first start.";
    const form = h("form", { class: "log-in panel" }, h("h1", { class: "brand" }, "c", h("b", {}, "OTA")), h("p", {}, where),
      sentence ? h("p", { class: "warn", role: "status" }, sentence) : null, ...fields, told, button, h("p", { class: "small" }, hint));
    form.addEventListener("submit", (event) => { event.preventDefault(); enter(Object.fromEntries(new FormData(form))); });
    put(place, form);
    form.querySelector("input").focus();
    async function enter(given) {
      button.disabled = true;
      setText(told, "");
      try {
        resolve(await logIn(given));
      } catch (error) {
        setText(told, [error.message, error.hint].filter(Boolean).join(" "));
        form.querySelector(byKey ? "#key" : "#password").focus();
      } finally {
        button.disabled = false;
      }
    }
    if (byKey && key) enter({ key });
  });
}
