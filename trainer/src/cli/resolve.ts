// From what was typed, exported and written in files to options with origins: flag > environment > project file > user file.
// Presets and defaults come after, once the machine is known: config.ts.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, relative } from 'node:path';
import { usageError } from '../errors.js';
import type { StartOptions } from '../settings/contract.js';
import {
  type CommandName,
  defaultOf,
  fieldOf,
  flagOf,
  nameOf,
  OPTIONS,
  type OptionName,
  optionsOf,
} from '../settings/options.js';
import { parseValue, type Value } from '../settings/values.js';
import { CONFIG_EXTENSIONS, readConfigFile, type Setting } from './config-file.js';
import { didYouMean } from './suggest.js';

/** What the command line gave: text of flags that take a value, true or false of those that do not, by field (`batchSize`). */
export type RawFlags = Readonly<Record<string, string | boolean>>;

export interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Defaults to the user's. */
  readonly home?: string;
}

/** Values by field, with where each came from. */
export interface Resolved {
  readonly values: Readonly<Record<string, Value>>;
  readonly origins: Readonly<Record<string, string>>;
}

/** @throws TrainerError (usage): one line that names the flag, variable or file and line, and what it must be. */
export async function resolveStart(flags: RawFlags, surroundings: Surroundings): Promise<StartOptions> {
  const explicit = merge([
    ...fromFlagsAndEnvironment('start', flags, surroundings.env),
    ...(await fromFiles(flags, surroundings)),
  ]);
  const { config, run, output } = split(withDefaults('start', explicit).values);
  checkTogether(run, output, explicit);
  // The table's types are those of RunConfig, RunOptions and OutputOptions; a test holds them to it.
  return { config, origins: explicit.origins, run, output } as unknown as StartOptions;
}

/** Options of a command that reads no configuration files. */
export function resolveCommand(command: CommandName, flags: RawFlags, env: NodeJS.ProcessEnv): Resolved {
  return withDefaults(command, merge(fromFlagsAndEnvironment(command, flags, env)));
}

function fromFlagsAndEnvironment(command: CommandName, flags: RawFlags, env: NodeJS.ProcessEnv): Resolved[] {
  return [fromFlags(command, flags), fromEnvironment(command, env)];
}

function withDefaults(command: CommandName, { values, origins }: Resolved): Resolved {
  const defaults = optionsOf(command).flatMap((name) => {
    const value = OPTIONS[name].scope === 'config' ? undefined : defaultOf(name);
    return value === undefined ? [] : [[fieldOf(name), value] as const];
  });
  return { values: { ...Object.fromEntries(defaults), ...values }, origins };
}

/** The first that says something about a field wins. */
function merge(sources: readonly Resolved[]): Resolved {
  const weakestFirst = sources.toReversed();
  return {
    values: Object.assign({}, ...weakestFirst.map((source) => source.values)),
    origins: Object.assign({}, ...weakestFirst.map((source) => source.origins)),
  };
}

function split(values: Resolved['values']): Record<'config' | 'run' | 'output', Record<string, Value>> {
  const parts = { config: {}, run: {}, output: {} } as Record<'config' | 'run' | 'output', Record<string, Value>>;
  for (const name of optionsOf('start')) {
    const field = fieldOf(name);
    const value = values[field];
    if (value !== undefined && name !== 'config') parts[OPTIONS[name].scope][field] = value;
  }
  return parts;
}

/** Collects values of one source, refusing what an option cannot take. */
class Source {
  readonly values: Record<string, Value> = {};
  readonly origins: Record<string, string> = {};

  /** @param label how the source calls the option, for messages: "--depth", "trainer.yaml:3: depth". */
  take(name: OptionName, text: string, where: { readonly label: string; readonly origin: string }): void {
    const { type, nullable } = OPTIONS[name];
    const parsed = parseValue(type, text, nullable);
    if ('problem' in parsed) throw usageError(`${where.label} ${parsed.problem}, not "${shorten(text)}"`);
    this.set(name, parsed.value, where.origin);
  }

  set(name: OptionName, value: Value, origin: string): void {
    this.values[fieldOf(name)] = value;
    this.origins[fieldOf(name)] = origin;
  }
}

const shorten = (text: string): string => (text.length > 60 ? `${text.slice(0, 57)}...` : text).replace(/\s+/g, ' ');

function fromFlags(command: CommandName, flags: RawFlags): Resolved {
  const source = new Source();
  for (const name of optionsOf(command)) {
    const value = flags[fieldOf(name)];
    if (value === undefined) continue;
    if (typeof value === 'boolean') source.set(name, value, `flag --${value ? '' : 'no-'}${name}`);
    else source.take(name, value, { label: `--${name}`, origin: `flag --${name}` });
  }
  return source;
}

/** TRAINER_BATCH_SIZE, and for what is on by default also TRAINER_NO_PROGRESS. An empty variable says nothing. */
function fromEnvironment(command: CommandName, env: NodeJS.ProcessEnv): Resolved {
  const source = new Source();
  for (const name of optionsOf(command)) {
    if (OPTIONS[name].sources === 'flags') continue;
    const variable = variableOf(name);
    const text = env[variable];
    if (text) source.take(name, text, { label: variable, origin: variable });
    if (flagOf(name) === `--${name}`) continue;
    const negative = variableOf(`no-${name}`);
    if (!env[negative]) continue;
    source.take(name, env[negative], { label: negative, origin: negative });
    source.set(name, source.values[fieldOf(name)] !== true, negative);
  }
  return source;
}

const variableOf = (name: string): string => `TRAINER_${name.replaceAll('-', '_').toUpperCase()}`;

/** The project's file (`--config`, else trainer.* in the folder), then the user's. */
async function fromFiles(flags: RawFlags, { env, cwd, home }: Surroundings): Promise<Resolved[]> {
  const named = flags['config'] ?? env[variableOf('config')];
  const project = typeof named === 'string' && named !== '' ? absolute(named, cwd) : found(cwd, 'trainer');
  const folder = env['XDG_CONFIG_HOME'] || join(home ?? env['HOME'] ?? homedir(), '.config');
  const user = found(join(folder, 'trainer'), 'config');
  const paths = [project, user].filter((path) => path !== undefined);
  return Promise.all(paths.map(async (path) => fromSettings(await readConfigFile(short(path, cwd)))));
}

const absolute = (path: string, cwd: string): string => (isAbsolute(path) ? path : join(cwd, path));

/** Relative where that is shorter and stays below the working folder of this process. */
function short(path: string, cwd: string): string {
  const below = relative(cwd, path);
  return cwd === process.cwd() && !below.startsWith('..') ? below : path;
}

function found(folder: string, stem: string): string | undefined {
  const paths = CONFIG_EXTENSIONS.map((extension) => join(folder, stem + extension)).filter((path) => existsSync(path));
  if (paths.length > 1) throw usageError(`two configuration files, ${paths[0]} and ${paths[1]}: keep one of them`);
  return paths[0];
}

function fromSettings(settings: readonly Setting[]): Resolved {
  const source = new Source();
  for (const { key, value, place } of settings) {
    const { name, negated } = optionOfKey(key, place);
    const label = `${place}: ${key}`;
    const field = fieldOf(name);
    if (source.origins[field] !== undefined)
      throw usageError(`${label} is given twice, first in ${source.origins[field]}: keep one`);
    if (value === null) {
      // "limit-train:" left empty takes the value away; what has no such state is left to the others.
      if (OPTIONS[name].nullable) source.set(name, null, place);
      continue;
    }
    // A list of one GPU is a list all the same.
    const text = textOf(value, label) + (Array.isArray(value) && OPTIONS[name].type.kind === 'gpus' ? ',' : '');
    source.take(name, text, { label, origin: place });
    if (negated) source.set(name, source.values[field] !== true, place);
  }
  return source;
}

function optionOfKey(key: string, place: string): { readonly name: OptionName; readonly negated: boolean } {
  const typed = nameOf(key);
  const known = optionsOf('start');
  const positive = typed === 'logdir' ? 'out' : typed.replace(/^no-/, '');
  const name = known.find((candidate) => candidate === typed || candidate === positive);
  if (name === undefined || (positive !== typed && typed !== 'logdir' && OPTIONS[name].type.kind !== 'boolean')) {
    const inFiles = known.filter((candidate) => OPTIONS[candidate].sources === undefined);
    throw usageError(`${place}: unknown setting ${key}${didYouMean(typed, inFiles) || '; trainer start --help lists them all'}`);
  }
  if (OPTIONS[name].sources !== undefined)
    throw usageError(`${place}: ${key} belongs on the command line, as --${name}; remove it here`);
  return { name, negated: typed.startsWith('no-') && name === positive };
}

function textOf(value: unknown, label: string): string {
  const single = (item: unknown): string => {
    if (typeof item === 'string' || typeof item === 'number' || typeof item === 'boolean') return String(item);
    throw usageError(
      `${label} must be a single value or a list of names, not ${Array.isArray(item) ? 'a list in a list' : 'settings in settings'}`,
    );
  };
  return Array.isArray(value) ? value.map(single).join(',') : single(value);
}

function checkTogether(run: Record<string, Value>, output: Record<string, Value>, { values, origins }: Resolved): void {
  const pairs: readonly (readonly [string, string, boolean])[] = [
    ['quiet', 'verbose', output['quiet'] === true && output['verbose'] === true],
    ['resume', 'init', run['resume'] !== null && typeof values['init'] === 'string'],
    ['resume', 'fastDevRun', run['resume'] !== null && run['fastDevRun'] === true],
    ['resume', 'seeds', run['resume'] !== null && run['seeds'] !== 1],
    ['seeds', 'fastDevRun', run['seeds'] !== 1 && run['fastDevRun'] === true],
  ];
  const clash = pairs.find(([, , both]) => both);
  if (!clash) return;
  const [first, second] = clash.slice(0, 2).map((field) => `--${nameOf(field as string)} (${origins[field as string]})`);
  throw usageError(`${first} and ${second} exclude each other: leave one out`);
}
