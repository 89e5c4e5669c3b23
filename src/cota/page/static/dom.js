// Making elements. Every value becomes text, never markup; the page's policy (Trusted Types) forbids the rest.

/**
 * Make an element.
 * @param {string} tag
 * @param {Object} [props] `class`, `on` (event -> handler), any other attribute; false and null leave one out.
 * @param {...(Node|string|number|null|false)} children
 */
export function h(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) made.addEventListener(event, act);
    else made.setAttribute(name, value === true ? "" : value);
  }
  put(made, ...children);
  return made;
}

/** Put children into an element, in place of what is there. */
export function put(parent, ...children) {
  parent.replaceChildren(...children.flat(Infinity).filter((one) => one !== null && one !== false && one !== undefined)
    .map((one) => (one instanceof Node ? one : document.createTextNode(String(one)))));
}

/** Set a text only where it differs, so that nothing is drawn and nothing is read out for no reason. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A text of a device or a package: isolated, so that its writing direction turns nothing around. */
export function foreign(text, props = {}) {
  return h("bdi", props, text);
}

/**
 * Make a table that is one of cards on a phone. Its roles are written out, because a table that is drawn as blocks loses them.
 * @param {Object} props of the table
 * @param {string[]} heads the columns' words; "" is the column of buttons
 * @param {Array[]} rows of cells, each a list of children; the first names its row
 */
export function plainTable(props, heads, rows) {
  const cell = (children, at) => {
    const made = h(at ? "td" : "th", { role: at ? "cell" : "rowheader", scope: at ? null : "row", class: heads[at] ? null : "do", "data-head": heads[at] || null }, ...children);
    if (!made.textContent) made.dataset.empty = "";
    return made;
  };
  return h("table", { ...props, role: "table" },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads.map((word) => h("th", { role: "columnheader", scope: "col" }, word || h("span", { class: "unseen" }, "Actions"))))),
    h("tbody", { role: "rowgroup" }, rows.map((cells) => h("tr", { role: "row" }, cells.map(cell)))));
}

/** Text with code in backquotes, as the table of errors has it. */
export function prose(text) {
  return text.split("`").map((part, at) => (at % 2 ? h("code", {}, part) : part));
}

/** A link where the address is one of the web; else its text. */
export function address(url) {
  let parsed = null;
  try {
    parsed = new URL(url);
  } catch {
    // Not an address.
  }
  if (!parsed || !/^https?:$/.test(parsed.protocol)) return foreign(url);
  return h("a", { href: parsed.href, target: "_blank", rel: "noopener noreferrer" }, foreign(url));
}

let sayTimer = 0;
/** Tell a screen reader, politely. */
export function announce(text) {
  const place = document.getElementById("announce");
  clearTimeout(sayTimer);
  // Emptied first: the same sentence twice is said twice.
  place.textContent = "";
  sayTimer = setTimeout(() => { place.textContent = text; }, 60);
}

let toastTimer = 0;
/** Show a sentence for some seconds, and say it. */
export function toast(text) {
  const place = document.getElementById("toast");
  place.textContent = text;
  place.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { place.hidden = true; }, 6000);
  announce(text);
}
