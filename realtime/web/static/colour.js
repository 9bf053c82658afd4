// @ts-check
// Gives the page the colour of the store that it is about.

import { pageData, setAccent } from "./page.js";

setAccent(pageData().store?.accent ?? "");
