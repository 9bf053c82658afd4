// @ts-check
// What the browser tells about its network and about being looked at.

/**
 * @typedef {object} Attention
 * @property {() => void} online the network is back
 * @property {() => void} offline the network is gone
 * @property {() => void} asleep the page goes away, maybe into the back/forward cache
 * @property {() => void} awake it came back from there
 * @property {(awayMs: number) => void} shown somebody looks at it again
 */

/**
 * @param {Attention} attention
 * @returns {() => void} stops listening
 */
export function attend(attention) {
  const until = new AbortController();
  const on = { signal: until.signal };
  let hiddenAt = 0;
  addEventListener("online", attention.online, on);
  addEventListener("offline", attention.offline, on);
  addEventListener("pagehide", attention.asleep, on);
  addEventListener("pageshow", (event) => event.persisted && attention.awake(), on);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") hiddenAt = Date.now();
    else attention.shown(Date.now() - hiddenAt);
  }, on);
  return () => until.abort();
}
