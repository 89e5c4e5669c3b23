// Returns texts with less contrast than WCAG 2.2 asks for (1.4.3: 4.5 to 1 of relative luminance). Grounds that shine through are mixed.
const parse = (text) => {
  const numbers = text.match(/[\d.]+/g).map(Number);
  const unit = text.startsWith("color(srgb") ? 255 : 1;
  return [...numbers.slice(0, 3).map((one) => one * unit), numbers[3] ?? 1];
};
const over = (top, under) => [0, 1, 2].map((at) => top[at] * top[3] + under[at] * (1 - top[3]));
const linear = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const ground = (element) => {
  const own = parse(getComputedStyle(element).backgroundColor);
  return own[3] === 1 || !element.parentElement ? own.slice(0, 3) : over(own, ground(element.parentElement));
};
const weak = [];
for (const element of document.querySelectorAll("body *")) {
  const speaks = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
  if (!speaks || !element.checkVisibility() || element.closest(".unseen, .skip, :disabled, option")) continue;
  const under = ground(element);
  const [high, low] = [luminance(over(parse(getComputedStyle(element).color), under)), luminance(under)].sort((a, b) => b - a);
  const ratio = (high + 0.05) / (low + 0.05);
  if (ratio < 4.5) weak.push(`${element.textContent.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
}
return weak;
