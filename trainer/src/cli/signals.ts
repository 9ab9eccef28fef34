// What signals ask of a run: stop after the step under way, stop at once, write a checkpoint now.
import { EXIT } from '../errors.js';

export type StopReason = 'SIGINT' | 'SIGTERM';

/** What of `process` is used; tests bring their own. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  off(signal: NodeJS.Signals, listener: () => void): unknown;
  exit(code: number): unknown;
}

export interface SignalHandlers {
  /** First SIGINT or SIGTERM: finish the step, save, end with `exitCodeOf(reason)`. */
  readonly onStop: (reason: StopReason) => void;
  /** SIGUSR2: write a checkpoint now (SIGUSR1 belongs to Node's inspector). */
  readonly onCheckpoint: () => void;
}

const EXIT_CODES = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated } as const;

export const exitCodeOf = (reason: StopReason): (typeof EXIT_CODES)[StopReason] => EXIT_CODES[reason];

/** Listens until the returned function is called. A second stop signal ends the process at once. */
export function onSignals({ onStop, onCheckpoint }: SignalHandlers, source: SignalSource = process): () => void {
  let stopping = false;
  const stop = (reason: StopReason) => (): void => {
    if (stopping) {
      source.exit(exitCodeOf(reason));
      return;
    }
    stopping = true;
    onStop(reason);
  };
  const listeners = [
    ['SIGINT', stop('SIGINT')],
    ['SIGTERM', stop('SIGTERM')],
    ['SIGUSR2', onCheckpoint],
  ] as const;
  for (const [signal, listener] of listeners) source.on(signal, listener);
  return () => {
    for (const [signal, listener] of listeners) source.off(signal, listener);
  };
}
