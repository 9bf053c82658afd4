// @ts-check
/** The store's colour: whether white letters can be read on it, and the nearest shade on which they can. */

/** Shades that all carry white letters. */
export const SHADES = ["#0B6E4F", "#0B4FB8", "#5B3A9E", "#9B1C4B", "#A3300B", "#7A5200", "#1F5C6B", "#2B2F38"];

const ENOUGH = 4.5;

/** @param {string} hex @returns {number[]} */
const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** Relative luminance, WCAG 2.2. @param {string} hex */
function luminance(hex) {
  const [r, g, b] = channels(hex).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Contrast of white letters on `hex`, 1 to 21. @param {string} hex */
export const contrastWithWhite = (hex) => 1.05 / (luminance(hex) + 0.05);

/** @param {string} hex */
export const readable = (hex) => contrastWithWhite(hex) >= ENOUGH;

/** The same colour, darkened until white letters can be read on it. @param {string} hex @returns {string} */
export function darkened(hex) {
  let shade = hex;
  for (let keep = 0.97; !readable(shade) && keep > 0; keep -= 0.03) {
    shade = `#${channels(hex).map((value) => Math.round(value * keep).toString(16).padStart(2, "0")).join("")}`;
  }
  return shade;
}
