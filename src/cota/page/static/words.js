// The page's words: groups, states, times.

export const GROUPS = [
  ["waiting", "Waiting"],
  ["updating", "Updating"],
  ["updated", "Updated"],
  ["failed", "Failed"],
  ["none", "Unassigned"],
];
export const GROUP_WORD = Object.fromEntries(GROUPS);

const STATES = {
  QUEUED: "Queued", INITIATED: "Announced", DOWNLOADING: "Downloading", DOWNLOADED: "Downloaded",
  VERIFIED: "Verified", UPDATING: "Installing", UPDATED: "Updated", FAILED: "Failed",
};

/** A state in words; a word that ThingsBoard does not know stays as the device said it. */
export function stateWord(state) {
  return Object.hasOwn(STATES, state) ? STATES[state] : state || "Unassigned";
}

/** Title and version as one text. */
export function release(title, version) {
  return [title, version].filter(Boolean).join(" ");
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "narrow" });
const STEPS = [[60, "second"], [60, "minute"], [24, "hour"], [Infinity, "day"]];

/** How long ago, such as "5 min. ago". */
export function ago(time, now) {
  if (!time) return "never";
  let span = Math.min(0, Math.round((time - now) / 1000));
  if (span > -5) return "now";
  for (const [length, unit] of STEPS) {
    if (-span < length) return relative.format(span, unit);
    span = Math.round(span / length);
  }
  return "";
}

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
export function moment(time) {
  return time ? exact.format(time) : "never";
}

/** A span of time, such as "4 min 10 s". */
export function span(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

const whole = new Intl.NumberFormat("en");
export const count = (number) => whole.format(number);
export const devices = (number) => `${count(number)} ${number === 1 ? "device" : "devices"}`;
