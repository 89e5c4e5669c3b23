// Before any script of the page: notes when the first rows and the whole fleet are drawn, and every task that blocks for long.
window.measured = { first: 0, whole: 0, tasks: [] };
new PerformanceObserver((list) => { for (const one of list.getEntries()) measured.tasks.push(one.duration); }).observe({ type: "longtask", buffered: true });
new MutationObserver((_changes, observer) => {
  if (!measured.first && document.querySelector("tr[data-id]")) measured.first = performance.now();
  const rows = Number(document.querySelector("table.devices")?.getAttribute("aria-rowcount"));
  if (rows !== DEVICES + 1) return;
  measured.whole = performance.now();
  observer.disconnect();
}).observe(document, { childList: true, subtree: true, attributes: true, attributeFilter: ["aria-rowcount"] });
