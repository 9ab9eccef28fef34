// The command line before commander reads it: `--batch_size` is `--batch-size`, and a flag is never taken for another's value.
import { usageError } from '../errors.js';
import { OPTION_NAMES, OPTIONS } from '../settings/options.js';

/** @throws TrainerError (usage) where a flag that needs a value is followed by another flag. */
export function normalizeArguments(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  const flags = end === -1 ? argv : argv.slice(0, end);
  const normal = flags.map(withHyphens);
  normal.forEach((argument, i) => {
    const next = normal[i + 1];
    if (takesValue(argument) && next !== undefined && isOurs(next))
      throw usageError(
        `${argument} needs a value, but the flag ${next} follows: write ${argument} VALUE, or ${argument}=${next} if that is the value`,
      );
  });
  return [...normal, ...argv.slice(flags.length)];
}

/** Underscores of the name, not of the value. */
const withHyphens = (argument: string): string =>
  /^--\w/.test(argument) ? argument.replace(/^[^=]+/, (name) => name.replaceAll('_', '-')) : argument;

const takesValue = (argument: string): boolean =>
  OPTION_NAMES.some((name) => {
    const { type, short, alias } = OPTIONS[name];
    return type.kind !== 'boolean' && [`--${name}`, `--${alias}`, `-${short}`].includes(argument);
  });

/** Any flag of ours, with or without a value after `=`. */
const isOurs = (argument: string): boolean =>
  OPTION_NAMES.some((name) => [`--${name}`, `--no-${name}`, `--${OPTIONS[name].alias}`].includes(argument.split('=')[0]!));
