// Returns what a screen reader misses in tables: a table without a name, a heading cell without scope or text, a row without one that names it.
const missing = [];
for (const table of document.querySelectorAll("table")) {
  const named = table.getAttribute("aria-label") || document.getElementById(table.getAttribute("aria-labelledby"))?.textContent;
  if (!named) missing.push(`no name: ${table.className}`);
  for (const head of table.querySelectorAll("th")) {
    if (!["col", "row"].includes(head.scope)) missing.push(`no scope: ${head.outerHTML}`);
    if (!head.textContent.trim() && !head.querySelector("[aria-label]")) missing.push(`no text: ${head.outerHTML}`);
  }
  for (const row of table.querySelectorAll("tbody:not([aria-hidden]) tr")) if (!row.querySelector("th[scope=row]")) missing.push(`no heading: ${row.innerText}`);
  for (const one of table.querySelectorAll("thead:not([aria-hidden]), tbody:not([aria-hidden]), tr, th, td")) if (!one.getAttribute("role")) missing.push(`no role: ${one.tagName}`);
}
return missing;
