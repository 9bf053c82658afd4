// @ts-check
// Tells the server, once for each call, that this page has really shown that it is its party's turn.

const AGAIN_MS = 3_000;

/** @returns {Promise<void>} once what was drawn is on the screen; on a hidden page that is not before it is shown */
const painted = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve())));

/**
 * @param {(calledMs: number) => Promise<unknown>} tell rejects with `retry` when it may be told again
 * @returns {(calledMs: number) => void} to be called after every drawing: which call it shows, 0 for none
 */
export function acknowledge(tell) {
  let shown = 0;
  let told = 0;
  let busy = false;

  async function look() {
    if (busy || !shown || shown === told || document.visibilityState !== "visible") return;
    busy = true;
    await painted();
    const call = shown;
    let wait = 0;
    if (call && document.visibilityState === "visible") {
      try {
        await tell(call);
        told = call;
      } catch (fault) {
        if (/** @type {{retry?: boolean}} */ (fault).retry) wait = AGAIN_MS;
        else told = call;
      }
    }
    busy = false;
    if (wait) setTimeout(look, wait);
    else void look();
  }

  document.addEventListener("visibilitychange", () => void look());
  return (calledMs) => {
    shown = calledMs;
    void look();
  };
}
