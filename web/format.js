// format.js - numbers, times and sizes as people read them.
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const fine = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

// null stands for "not known", and is said so rather than drawn as nothing.
export const count = (value) => (value == null ? "–" : whole.format(value));
export const compact = (value) => (value == null ? "–" : short.format(value));
export const rate = (value) => (value == null ? "–" : value < 10 && value > 0 ? fine.format(value) : whole.format(value));

export function bytes(value) {
  if (value == null) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? whole.format(value) : value.toFixed(1)} ${units[unit]}`;
}

export function ago(then_ms, now_ms) {
  if (then_ms == null) return "none yet";
  const seconds = Math.max(0, Math.round((now_ms - then_ms) / 1000));
  if (seconds < 2) return "just now";
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86400)} days ago`;
}

// category_count -> category count
export const words = (name) => name.replaceAll("_", " ");
