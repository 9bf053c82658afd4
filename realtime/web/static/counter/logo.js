// @ts-check
/** A picture of any size in, a small data: URL out: at most 256 pixels wide and 40 KB. */

const MOST_PIXELS = 256;
const MOST_CHARACTERS = 40_000;
const TRIES = /** @type {[string, number][]} */ ([["image/webp", 0.9], ["image/png", 1], ["image/webp", 0.75], ["image/jpeg", 0.8], ["image/jpeg", 0.6]]);

/** @param {Blob} file @returns {Promise<string>} */
export async function shrink(file) {
  const picture = await load(file);
  for (let side = MOST_PIXELS; side >= 64; side /= 2) {
    const drawn = draw(picture, side);
    for (const [type, quality] of TRIES) {
      const url = drawn.toDataURL(type, quality);
      if (url.startsWith(`data:${type}`) && url.length <= MOST_CHARACTERS) return url;
    }
  }
  throw new Error("This picture cannot be made small enough. Choose a simpler one.");
}

/** @param {Blob} file @returns {Promise<HTMLImageElement>} */
async function load(file) {
  const address = URL.createObjectURL(file);
  const picture = new Image();
  picture.src = address;
  try {
    await picture.decode();
    if (!picture.naturalWidth) throw new Error("no size");
    return picture;
  } catch {
    throw new Error("This file is not a picture that the browser can read. Choose a PNG, JPEG or WebP.");
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** @param {HTMLImageElement} picture @param {number} side @returns {HTMLCanvasElement} */
function draw(picture, side) {
  const scale = Math.min(1, side / Math.max(picture.naturalWidth, picture.naturalHeight));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(picture.naturalHeight * scale));
  canvas.getContext("2d")?.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas;
}
