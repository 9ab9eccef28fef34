// A coordinator at its end of the channel: trains what the supervisor says, and says how that ended.
import type { Start, ToSupervisor } from '@trainer/protocol';
import { TrainerError } from '../errors.js';
import { type CoordinatorOptions, coordinate } from './start.js';

export type ServeOptions = Omit<CoordinatorOptions, 'start'>;

/** Closes the channel once all is said. */
export function serve(options: ServeOptions): void {
  options.channel.onMessage((message) => {
    if (message.type === 'start') void train(message.start, options);
  });
}

async function train(start: Start, options: ServeOptions): Promise<void> {
  const { channel } = options;
  try {
    await coordinate({ start, ...options });
    await channel.send({ type: 'done' });
  } catch (error) {
    await channel.send(failureOf(error)).catch(() => undefined);
  }
  channel.close();
}

function failureOf(error: unknown): ToSupervisor {
  const { message, stack = null } = error instanceof Error ? error : new Error(String(error));
  return { type: 'failed', message, stack, exitCode: error instanceof TrainerError ? error.exitCode : null };
}
