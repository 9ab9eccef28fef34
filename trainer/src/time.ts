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
