// Returns which of the states' colours are to be seen in the chart.
const canvas = document.querySelector(".plot canvas");
const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
const seen = new Set();
for (let at = 0; at < pixels.length; at += 4) if (pixels[at + 3] === 255) seen.add(pixels.slice(at, at + 3).join());
const probe = document.createElement("span");
document.body.append(probe);
const found = ["updated", "failed", "updating", "waiting"].filter((name) => {
  probe.style.color = `var(--${name})`;
  return seen.has(getComputedStyle(probe).color.match(/\d+/g).slice(0, 3).join());
});
probe.remove();
return found;
