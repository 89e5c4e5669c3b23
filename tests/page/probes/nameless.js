// Returns controls without a name for a screen reader, and ids that stand twice.
const name = (element) => element.getAttribute("aria-label") || element.labels?.[0]?.textContent || element.textContent.trim();
const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
const nameless = [...document.querySelectorAll("button, a, input, select")].filter((element) => !name(element));
return [...nameless.map((element) => element.outerHTML), ...ids.filter((id, at) => ids.indexOf(id) !== at)];
