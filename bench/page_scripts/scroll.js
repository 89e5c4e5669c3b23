// Scrolls through the whole table in steps of most of a window, one a frame, and leaves how long the frames took in measured.scrolled.
(async () => {
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const end = document.documentElement.scrollHeight, times = [];
  let empty = 0;
  for (let top = 0; top < end; top += innerHeight * 0.8) {
    const before = await frame();
    scrollTo(0, top);
    const drawn = await frame();
    times.push(drawn - before);
    const seen = [...document.querySelectorAll("tr[data-id]")].some((row) => { const at = row.getBoundingClientRect().top; return at > 0 && at < innerHeight; });
    if (!seen && top > innerHeight) empty += 1;
  }
  times.sort((a, b) => a - b);
  measured.scrolled = { steps: times.length, "median of a frame, ms": Math.round(times[times.length >> 1]), "p99 of a frame, ms": Math.round(times[Math.floor(times.length * 0.99)]), "frames without a row": empty };
})()
