// @ts-check
// What every page begins with: the data that came along, and the store's colour, made readable on light and on dark.

/** @returns {any} the JSON object that the server put into the page */
export function pageData() {
  return JSON.parse(document.getElementById("page-data")?.textContent || "{}");
}

/**
 * The element with this id; a page without it is broken.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} [kind]
 * @returns {T}
 */
export function byId(id, kind) {
  const found = document.getElementById(id);
  if (!found || (kind && !(found instanceof kind))) throw new Error(`This page has no #${id}.`);
  return /** @type {T} */ (found);
}

/** Sets a text only when it differs, so that screen readers speak only of changes. @param {Element} element @param {string} text */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const LIGHT_PAPER = [250, 250, 247];
const DARK_PAPER = [18, 20, 23];
const READABLE = 4.6;
/** On dark a colour has to glow a little to look like itself, but not to shout. */
const GLOWING = 7;
const SHOUTING = 0.6;

/**
 * Takes the store's colour, made darker (on dark paper lighter) until its words can be read and a button's words on it.
 * @param {string} hex #rrggbb
 */
export function setAccent(hex) {
  if (!/^#[0-9a-f]{6}$/i.test(hex)) return;
  const [hue, saturation, lightness] = toHsl([1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  const light = stepUntil((step) => fromHsl(hue, saturation, Math.max(0, lightness - step)), LIGHT_PAPER, READABLE);
  const dark = stepUntil((step) => fromHsl(hue, Math.min(saturation, SHOUTING), Math.min(1, lightness + step)), DARK_PAPER, GLOWING);
  const style = document.documentElement.style;
  style.setProperty("--accent-light", css(light));
  style.setProperty("--accent-dark", css(dark));
  style.setProperty("--on-accent-light", lettersOn(light));
  style.setProperty("--on-accent-dark", lettersOn(dark));
}

/** @param {(step: number) => number[]} shade @param {number[]} paper @param {number} enough */
function stepUntil(shade, paper, enough) {
  let step = 0;
  while (step < 1 && contrast(shade(step), paper) < enough) step += 0.02;
  return shade(step);
}

/** @param {number[]} colour @returns {[number, number, number]} hue in sixths of a turn, saturation and lightness from 0 to 1 */
function toHsl(colour) {
  const [r, g, b] = colour.map((value) => value / 255);
  const [most, least] = [Math.max(r, g, b), Math.min(r, g, b)];
  const spread = most - least;
  const lightness = (most + least) / 2;
  if (!spread) return [0, 0, lightness];
  const hue = most === r ? (g - b) / spread : most === g ? (b - r) / spread + 2 : (r - g) / spread + 4;
  return [(hue + 6) % 6, spread / (1 - Math.abs(2 * lightness - 1)), lightness];
}

/** CSS Color 4, section 7.1. @param {number} hue @param {number} saturation @param {number} lightness */
function fromHsl(hue, saturation, lightness) {
  const chroma = saturation * Math.min(lightness, 1 - lightness);
  return [0, 8, 4].map((offset) => {
    const k = (offset + hue * 2) % 12;
    return Math.round(255 * (lightness - chroma * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  });
}

/** @param {number[]} colour */
function lettersOn(colour) {
  return contrast(colour, [255, 255, 255]) >= contrast(colour, DARK_PAPER) ? "#ffffff" : css(DARK_PAPER);
}

/** WCAG 2.2, "contrast ratio". @param {number[]} a @param {number[]} b */
function contrast(a, b) {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

/** WCAG 2.2, "relative luminance". @param {number[]} colour */
function luminance(colour) {
  const [r, g, b] = colour.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** @param {number[]} colour */
function css(colour) {
  return `rgb(${colour.join(" ")})`;
}
