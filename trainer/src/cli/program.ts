// The command line as commander sees it, made from the tables of commands and options.
import { Command, Option } from 'commander';
import { type CommandName, defaultOf, defaultText, flagOf, OPTIONS, type OptionName, optionsOf } from '../settings/options.js';
import { COMMAND_GROUPS, COMMAND_NAMES, COMMANDS } from './commands.js';
import type { Io } from './io.js';
import type { RawFlags } from './resolve.js';
import { widthOf } from './style.js';

/** What a command line asks for. */
export interface Invocation {
  readonly command: CommandName;
  readonly flags: RawFlags;
  readonly words: readonly string[];
}

/** @param onCommand called with what was asked for, unless help or the version was. */
export function createProgram(io: Io, version: string, onCommand: (invocation: Invocation) => void): Command {
  const program = configure(new Command('trainer'), io)
    .description('Trains a residual network and its plain twin side by side, and shows what the shortcuts do.')
    .version(version, '--version', 'Print the version')
    .helpCommand('help [command]', 'Explain a command');
  const groups = Object.entries(COMMAND_GROUPS).map(([name, summary]) => {
    const group = configure(program.command(name), io).summary(summary).description(summary);
    return [name, group] as const;
  });
  for (const name of COMMAND_NAMES) {
    const [first, second] = name.split(' ');
    const parent = second === undefined ? program : Object.fromEntries(groups)[first!]!;
    addCommand(parent, name, io).action((...given: unknown[]) => {
      // Commander passes positional arguments, then options, then the command.
      const command = given.at(-1) as Command;
      onCommand({ command: name, flags: typedFlags(command), words: command.args });
    });
  }
  return program;
}

function configure(command: Command, io: Io, heading = 'Options:'): Command {
  return command
    .addHelpOption(new Option('-h, --help', 'Explain this command').helpGroup(heading))
    .exitOverride()
    .configureHelp({ minWidthToWrap: 20 })
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      // Errors are told once, by main.
      writeErr: () => {},
      getOutHelpWidth: () => Math.min(widthOf(io.stdout, io.env), 120),
      getOutHasColors: () => false,
    });
}

function addCommand(parent: Command, name: CommandName, io: Io): Command {
  const { summary, argument, examples } = COMMANDS[name];
  const command = configure(parent.command(name.split(' ').at(-1)!), io)
    .summary(summary)
    .description(summary);
  if (argument) command.argument(`[${argument.name}]`, argument.choices.join(', '));
  // Too many words are refused by main, in our own words.
  command.allowExcessArguments();
  for (const option of optionsOf(name)) addOption(command, option);
  return command.addHelpText('after', `\nExamples:\n${examples.map((example) => `  ${example}\n`).join('')}`);
}

/** Only what was typed: commander gives `--no-x` options a default of true, which would beat variables and files. */
const typedFlags = (command: Command): RawFlags =>
  Object.fromEntries(
    Object.entries<string | boolean>(command.opts()).filter(([name]) => command.getOptionValueSource(name) === 'cli'),
  );

function addOption(command: Command, name: OptionName): void {
  const { type, metavar, help, group, short, alias } = OPTIONS[name];
  const heading = `${group}:`;
  const letter = short === undefined ? '' : `-${short}, `;
  if (type.kind === 'boolean') {
    const shown = flagOf(name);
    const opposite = defaultOf(name) === true ? `--${name}` : `--no-${name}`;
    command.addOption(new Option(`${letter}${shown}`, helpOf(name, help)).helpGroup(heading));
    command.addOption(new Option(opposite).hideHelp());
    return;
  }
  const value = metavar ?? (type.kind === 'choice' ? type.choices.join('|') : 'VALUE');
  command.addOption(new Option(`${letter}--${name} <${value}>`, helpOf(name, help)).helpGroup(heading));
  if (alias !== undefined) {
    const option = new Option(`--${alias} <${value}>`).hideHelp();
    // An alias writes where its option does.
    option.attributeName = () => name;
    command.addOption(option);
  }
}

function helpOf(name: OptionName, help: string): string {
  const value = defaultText(name);
  return value === undefined ? help : `${help} (default: ${value})`;
}
