// @ts-check
// Time as the pages need it: when to try again, what a clock shows, and ticks that survive a sleeping tab.

const FIRST_MS = 500;
const MOST_MS = 10_000;

/**
 * How long to wait before reconnect attempt `attempt` (0 is the first): full jitter, U(0, min(10 s, 0.5 s * 2^n)).
 * @param {number} attempt
 * @param {number} [random] from 0 to 1
 */
export function backOffMs(attempt, random = Math.random()) {
  return Math.round(random * Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(attempt, 16)));
}

/**
 * "21:04" at the store (or on this device, without a timezone that the browser knows).
 * @param {number} ms
 * @param {string} [timezone] IANA name
 * @param {string} [locale] whose figures are used
 */
export function clockTime(ms, timezone, locale = "en-GB") {
  /** @type {Intl.DateTimeFormatOptions} */
  const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  try {
    return new Intl.DateTimeFormat(locale, { ...options, timeZone: timezone || undefined }).format(ms);
  } catch {
    return new Intl.DateTimeFormat(locale, options).format(ms);
  }
}

/**
 * A running time: "0:40", "12:10", "1:02:05".
 * @param {number} ms
 */
export function runningTime(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** A signal that ends a request after so long; also where the browser has none of its own. @param {number} ms */
export function within(ms) {
  if ("timeout" in AbortSignal) return AbortSignal.timeout(ms);
  const controller = new AbortController();
  setTimeout(() => controller.abort(), ms);
  return controller.signal;
}

/**
 * Calls `tick` every `everyMs`, and at once when the page is looked at again. A hidden tab's timers run as rarely as
 * once a minute, so a tick must compare clocks and never count itself.
 * @param {number} everyMs
 * @param {() => void} tick
 * @returns {() => void} stops it
 */
export function ticking(everyMs, tick) {
  const onShow = () => {
    if (document.visibilityState === "visible") tick();
  };
  const timer = setInterval(tick, everyMs);
  document.addEventListener("visibilitychange", onShow);
  return () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", onShow);
  };
}
