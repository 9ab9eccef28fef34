// Errors that end a command: one clear line for the user, and the documented exit code.

/** Exit codes of every command. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  environment: 3,
  diverged: 4,
  noMatch: 5,
  tryAgain: 75,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/**
 * An error whose message says what is wrong, where, and how to mend it, in one line. Only these are shown without a stack
 * trace; anything else that is thrown is a bug of ours.
 */
export class TrainerError extends Error {
  override readonly name = 'TrainerError';
  constructor(
    message: string,
    readonly exitCode: ExitCode = EXIT.failed,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A wrong flag, value or configuration: exit code 2. */
export const usageError = (message: string, options?: ErrorOptions): TrainerError =>
  new TrainerError(message, EXIT.usage, options);

/** Something the machine lacks (library, disk, GPU, port, data): exit code 3. */
export const environmentError = (message: string, options?: ErrorOptions): TrainerError =>
  new TrainerError(message, EXIT.environment, options);
