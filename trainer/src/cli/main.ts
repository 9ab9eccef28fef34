// The `trainer` command: from arguments to an exit code. Whatever goes wrong is told in one line on stderr.
import { CommanderError } from 'commander';
import { EXIT, TrainerError, usageError } from '../errors.js';
import { type CommandName, OPTIONS, optionsOf } from '../settings/options.js';
import { normalizeArguments } from './arguments.js';
import { COMMAND_GROUPS, COMMAND_NAMES, COMMANDS } from './commands.js';
import { type Io, processIo } from './io.js';
import { createProgram, type Invocation } from './program.js';
import { type ColorChoice, createStyle } from './style.js';
import { didYouMean, nearest } from './suggest.js';
import { VERSION } from './version.js';

/**
 * Runs one command and returns its exit code; never throws.
 * @param argv without node and the script
 */
export async function main(
  argv: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  io: Io = processIo(env),
): Promise<number> {
  try {
    const invocation = parse(argv, io);
    if (invocation === undefined) return EXIT.ok;
    const { HANDLERS } = await import('./handlers.js');
    return await HANDLERS[invocation.command](invocation.flags, io, invocation.words);
  } catch (error) {
    return report(error, argv, io);
  }
}

/** Undefined where help or the version was asked for and printed. */
function parse(argv: readonly string[], io: Io): Invocation | undefined {
  const asked: { invocation?: Invocation } = {};
  const program = createProgram(io, VERSION, (invocation) => {
    asked.invocation = invocation;
  });
  const args = normalizeArguments(argv);
  try {
    if (args.length === 0) program.outputHelp();
    else program.parse(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    throw usageError(explain(error, args), { cause: error });
  }
  if (asked.invocation) checkWords(asked.invocation);
  return asked.invocation;
}

function checkWords({ command, words }: Invocation): void {
  const { argument } = COMMANDS[command];
  const [word] = argument ? words.slice(1) : words;
  if (word !== undefined) throw usageError(`trainer ${command}: "${word}" is too much: settings are flags that begin with --`);
  if (!argument) return;
  if (words[0] === undefined) throw usageError(`trainer ${command} needs a ${argument.name}: ${argument.choices.join(', ')}`);
  if (!argument.choices.includes(words[0]))
    throw usageError(`trainer ${command}: no ${argument.name} "${words[0]}": choose ${argument.choices.join(', ')}`);
}

/** Commander's complaint in our words, with the way out. */
function explain({ code, message }: CommanderError, args: readonly string[]): string {
  const [, subject = ''] = /'([^']*)'/.exec(message) ?? [];
  const command = commandOf(args);
  switch (code) {
    case 'commander.unknownOption':
      return unknownFlag(subject, command);
    case 'commander.unknownCommand':
    // A group without one of its commands would print its help as an error.
    case 'commander.help':
      return unknownCommand(args);
    case 'commander.optionMissingArgument':
      return `${subject.replace(/^-\w, /, '').replace(/ .*/, '')} needs a value: trainer ${command ?? ''} --help explains it`;
    default:
      return message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
  }
}

function unknownFlag(flag: string, command: CommandName | undefined): string {
  if (command === undefined) {
    const isOfStart = optionsOf('start').some((name) => flag === `--${name}` || flag === `--no-${name}`);
    return isOfStart
      ? `${flag} belongs to a command: trainer start ${flag}`
      : `unknown flag ${flag}: trainer --help lists the commands`;
  }
  const flags = optionsOf(command).flatMap((name) =>
    OPTIONS[name].type.kind === 'boolean' ? [`--${name}`, `--no-${name}`] : [`--${name}`],
  );
  return `unknown flag ${flag}${didYouMean(flag, [...flags, '--help'])}${nearest(flag, flags) ? '' : ':'} trainer ${command} --help lists them all`;
}

function unknownCommand(args: readonly string[]): string {
  const [first = '', second] = args.filter((argument) => !argument.startsWith('-'));
  if (!(first in COMMAND_GROUPS)) {
    const firstWords = [...new Set(COMMAND_NAMES.map((name) => name.split(' ')[0]!))];
    return `unknown command "${first}"${didYouMean(first, firstWords) || ': trainer --help lists them all'}`;
  }
  const inGroup = COMMAND_NAMES.filter((name) => name.startsWith(`${first} `)).map((name) => name.slice(first.length + 1));
  const missing = second === undefined ? `trainer ${first} needs a command` : `unknown command "${first} ${second}"`;
  return `${missing}: choose ${inGroup.map((name) => `trainer ${first} ${name}`).join(', ')}`;
}

function commandOf(args: readonly string[]): CommandName | undefined {
  return COMMAND_NAMES.find((name) => name.split(' ').every((word, i) => args[i] === word));
}

function report(error: unknown, argv: readonly string[], io: Io): number {
  const style = createStyle(io.stderr, io.env, colorChoice(argv, io.env));
  const verbose = isVerbose(argv, io.env);
  const known = error instanceof TrainerError;
  const message = error instanceof Error ? error.message : String(error);
  const hint = verbose ? '' : ' (-v shows where; please report it)';
  const line = known ? message : `internal error: ${message}${hint}`;
  io.stderr.write(`${style.paint.red('error:')} ${line.replace(/\s*\n\s*/g, ' ')}\n`);
  if (verbose && error instanceof Error) io.stderr.write(`${stackOf(error)}\n`);
  return known ? error.exitCode : EXIT.failed;
}

/** The stack, with those of the errors that caused it. */
function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by: ${stackOf(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}

// Options may be what is wrong, so how to tell it is read from the plain arguments.
const isVerbose = (argv: readonly string[], env: NodeJS.ProcessEnv): boolean =>
  argv.some((argument) => argument === '--verbose' || /^-[a-z]*v[a-z]*$/.test(argument)) || env['TRAINER_VERBOSE'] === '1';

function colorChoice(argv: readonly string[], env: NodeJS.ProcessEnv): ColorChoice {
  const choice = /--color[= ](always|never)/.exec(argv.join(' '))?.[1] ?? env['TRAINER_COLOR'];
  return choice === 'always' || choice === 'never' ? choice : 'auto';
}
