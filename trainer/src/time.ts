// Time as a value that is handed in, so that tests and simulations decide how fast it goes.

export interface Clock {
  /** Milliseconds from any origin. */
  now(): number;
  /** Calls back once; returns how to call it off. Does not keep the process alive. */
  later(callback: () => void, ms: number): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  later: (callback, ms) => {
    const timer = setTimeout(callback, ms).unref();
    return () => clearTimeout(timer);
  },
};

/** Waits are taken in pieces of at most this length. */
const PIECE_MS = 500;

/**
 * A clock whose waits pass only while this process runs. A process that was suspended (Ctrl-Z, a closed lid) finds all timers
 * expired that passed meanwhile, although nobody else was late.
 */
export const awake = (clock: Clock): Clock => ({
  now: () => clock.now(),
  later: (callback, ms) => {
    let left = ms;
    let cancel = (): void => {};
    const wait = (): void => {
      const piece = Math.min(left, PIECE_MS);
      left -= piece;
      cancel = clock.later(left > 0 ? wait : callback, piece);
    };
    wait();
    return () => cancel();
  },
});
