// @ts-check
// Calls a person's attention: a chime (only after a tap allowed it), a vibration, a screen that stays on.

const NOTES = [
  [0, 880],
  [0.18, 1108.7],
  [0.36, 1318.5],
];

/** A chime that browsers let sound only once somebody has pressed a button. */
export class Chime {
  constructor() {
    /** @type {AudioContext | null} */
    this.audio = null;
  }

  /** Call this from a tap. @returns {Promise<void>} */
  async allow() {
    this.audio ??= new AudioContext();
    await this.audio.resume();
  }

  get allowed() {
    return this.audio?.state === "running";
  }

  /** @param {number} [times] */
  ring(times = 1) {
    const audio = this.audio;
    if (!audio) return;
    for (let round = 0; round < times; round += 1) {
      for (const [after, pitch] of NOTES) this.note(audio, audio.currentTime + round * 1.2 + after, pitch);
    }
  }

  /** @param {AudioContext} audio @param {number} at @param {number} pitch */
  note(audio, at, pitch) {
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(0.4, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.001, at + 0.7);
    tone.connect(volume).connect(audio.destination);
    tone.start(at);
    tone.stop(at + 0.75);
  }
}

/** Shakes the phone, where it can and may. */
export function vibrate() {
  navigator.vibrate?.([300, 150, 300, 150, 600]);
}

/** Keeps the screen on while wanted and looked at; browsers let go of it whenever the page is hidden. */
export class WakeLock {
  constructor() {
    /** @type {WakeLockSentinel | null} */
    this.lock = null;
    this.wanted = false;
    document.addEventListener("visibilitychange", () => void this.hold());
  }

  /** @param {boolean} wanted */
  want(wanted) {
    if (wanted === this.wanted) return;
    this.wanted = wanted;
    if (wanted) void this.hold();
    else void this.lock?.release();
  }

  async hold() {
    if (!this.wanted || document.visibilityState !== "visible" || !("wakeLock" in navigator)) return;
    try {
      this.lock = await navigator.wakeLock.request("screen");
    } catch {
      // A phone with little battery refuses; the page works without.
    }
  }
}
