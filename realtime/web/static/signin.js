// @ts-check
/** Sign in, then on to where the owner wanted to go. */

import { onSend } from "./counter/forms.js";
import { byId } from "./page.js";
import { call, createSession, nextPath, wasSignedIn } from "./session.js";

const form = byId("signin-form", HTMLFormElement);
const session = createSession({ onLost: () => {} });

onSend(form, async () => {
  const given = new FormData(form);
  session.adopt(await call("POST", "/v1/login", { email: String(given.get("email")).trim(), password: String(given.get("password")) }));
  location.replace(nextPath("/counter"));
});

if (wasSignedIn()) {
  session.start().then((signedIn) => signedIn && location.replace(nextPath("/counter")), () => {});
}
