// @ts-check
// Trades the secret in the link for a cookie, and leaves it nowhere: not in the address, not in the history.

import { byId, say } from "./page.js";
import { faultPhrase, phrase } from "./phrases.js";
import { takeSecret } from "./secret.js";
import { Problem, call } from "./session.js";

const secret = takeSecret();

async function trade() {
  byId("opening").hidden = false;
  byId("again").hidden = true;
  say(byId("sentence"), "");
  try {
    if (secret) await call("POST", "/v1/ticket/trade", { token: secret });
    location.replace("/ticket");
  } catch (fault) {
    const known = fault instanceof Problem;
    byId("opening").hidden = true;
    say(byId("sentence"), known ? faultPhrase(fault) : phrase("link.failed"));
    byId("again").hidden = known && !fault.retry;
  }
}

byId("again").onclick = () => void trade();
void trade();
