// One option's value from its text: the same rules for flags, the environment and configuration files.
import { formatGpus, parseGpus } from '@trainer/protocol';

/** What an option takes. Bounds: `from` and `upTo` belong to the range, `above` and `below` do not. */
export type ValueType =
  | { readonly kind: 'boolean' }
  | { readonly kind: 'integer'; readonly from: number }
  | { readonly kind: 'number'; readonly from?: number; readonly above?: number; readonly upTo?: number; readonly below?: number }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | { readonly kind: 'list'; readonly choices?: readonly string[] }
  | { readonly kind: 'duration' }
  | { readonly kind: 'gpus' }
  /** Whole numbers of at least 1, each once, as text: "1,2,4". */
  | { readonly kind: 'counts' }
  | { readonly kind: 'text'; readonly what: string };

export type Value = string | number | boolean | readonly string[] | null;

/** The value, or what it must be: "must be a whole number of at least 1". */
export type Parsed = { readonly value: Value } | { readonly problem: string };

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const CLOCK = /^(\d+):([0-5]\d):([0-5]\d)$/;
const TRUE = ['true', '1', 'yes', 'on'];
const FALSE = ['false', '0', 'no', 'off'];

/** @param nullable 'none' means null. */
export function parseValue(type: ValueType, text: string, nullable = false): Parsed {
  if (nullable && text === 'none') return { value: null };
  const value = parse(type, text.trim());
  return value === undefined ? { problem: `must be ${describe(type)}${nullable ? ', or none' : ''}` } : { value };
}

function parse(type: ValueType, text: string): Value | undefined {
  switch (type.kind) {
    case 'boolean':
      return TRUE.includes(text.toLowerCase()) ? true : FALSE.includes(text.toLowerCase()) ? false : undefined;
    case 'integer':
      return /^\+?\d+$/.test(text) && Number(text) >= type.from && Number.isSafeInteger(Number(text)) ? Number(text) : undefined;
    case 'number':
      return NUMBER.test(text) && inRange(Number(text), type) ? Number(text) : undefined;
    case 'choice':
      return type.choices.find((choice) => choice.toLowerCase() === text.toLowerCase());
    case 'list':
      return list(text, type.choices);
    case 'duration':
      return duration(text);
    case 'gpus':
      return gpus(text);
    case 'counts':
      return counts(text);
    case 'text':
      return text === '' ? undefined : text;
  }
}

function inRange(n: number, { from, above, upTo, below }: Extract<ValueType, { kind: 'number' }>): boolean {
  return (
    Number.isFinite(n) &&
    (from === undefined || n >= from) &&
    (above === undefined || n > above) &&
    (upTo === undefined || n <= upTo) &&
    (below === undefined || n < below)
  );
}

/** Names divided by commas, each once; where there are choices, at least one of them. */
function list(text: string, choices?: readonly string[]): readonly string[] | undefined {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (choices && (names.length === 0 || names.some((name) => !choices.includes(name)))) return undefined;
  // In the table's order, so that "plain,resnet" and "resnet,plain" are the same run.
  return choices ? choices.filter((choice) => names.includes(choice)) : [...new Set(names)];
}

function gpus(text: string): string | undefined {
  const request = parseGpus(text);
  return request && formatGpus(request);
}

function counts(text: string): string | undefined {
  const numbers = text.split(',').map((part) => parse({ kind: 'integer', from: 1 }, part.trim()));
  return numbers.includes(undefined) ? undefined : [...new Set(numbers)].join(',');
}

/** Seconds of "00:12:00", "720" or "720s". */
function duration(text: string): number | undefined {
  const clock = CLOCK.exec(text);
  const seconds = clock
    ? Number(clock[1]) * 3600 + Number(clock[2]) * 60 + Number(clock[3])
    : NUMBER.test(text.replace(/s$/, ''))
      ? Number(text.replace(/s$/, ''))
      : 0;
  return Number.isFinite(seconds) && seconds > 0 ? seconds : undefined;
}

/** For error messages and the documentation: "a whole number of at least 1". */
function describe(type: ValueType): string {
  switch (type.kind) {
    case 'boolean':
      return 'true or false';
    case 'integer':
      return `a whole number of at least ${type.from}`;
    case 'number':
      return `a number ${range(type)}`;
    case 'choice':
      return oneOf(type.choices);
    case 'list':
      return type.choices ? `${oneOf(type.choices)}, or several divided by commas` : 'names divided by commas';
    case 'duration':
      return 'hours:minutes:seconds such as 00:12:00, or a number of seconds above 0';
    case 'counts':
      return 'a whole number of at least 1, or several divided by commas (1,2,4)';
    case 'gpus':
      return 'a number of GPUs, all, or a list with a comma (0,2; GPU 2 alone is 2,), none of them twice';
    case 'text':
      return type.what;
  }
}

function range({ from, above, upTo, below }: Extract<ValueType, { kind: 'number' }>): string {
  const low = from !== undefined ? `of at least ${from}` : above !== undefined ? `above ${above}` : '';
  const high = upTo !== undefined ? `at most ${upTo}` : below !== undefined ? `below ${below}` : '';
  return [low, high].filter((part) => part !== '').join(' and ');
}

const oneOf = (choices: readonly string[]): string =>
  choices.length < 2 ? choices.join('') : `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`;
