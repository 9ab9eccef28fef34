// `trainer completion`: scripts that complete commands, flags and their choices, made from the tables.

import { type CommandName, flagOf, OPTIONS, type OptionName, optionsOf } from '../settings/options.js';
import { COMMAND_NAMES, COMMANDS, type Shell } from './commands.js';

/** @param shell 'bash', 'zsh' or 'fish' (checked by the command line) */
export function completionScript(shell: string | undefined): string {
  return SCRIPTS[shell as Shell]();
}

const SCRIPTS: Readonly<Record<Shell, () => string>> = { bash, zsh, fish };

const firstWords = (): string[] => [...new Set(COMMAND_NAMES.map((name) => name.split(' ')[0]!))];

/** Words that may follow a command besides flags. */
const wordsOf = (command: CommandName): readonly string[] => COMMANDS[command].argument?.choices ?? [];

const flagsOf = (command: CommandName): string[] => [
  ...optionsOf(command).flatMap((name) => [flagOf(name), ...(OPTIONS[name].alias ? [`--${OPTIONS[name].alias}`] : [])]),
  '--help',
];

/** What may follow a flag: its choices, files, or anything. */
function valuesOf(name: OptionName): readonly string[] | 'files' | undefined {
  const { type } = OPTIONS[name];
  if (type.kind === 'choice' || type.kind === 'list') return type.choices;
  return ['config', 'data', 'init', 'out', 'resume'].includes(name) ? 'files' : undefined;
}

const allOptions = (): OptionName[] => [...new Set(COMMAND_NAMES.flatMap(optionsOf))];

const typedAs = (name: OptionName): string[] => {
  const { short, alias } = OPTIONS[name];
  return [`--${name}`, ...(alias ? [`--${alias}`] : []), ...(short ? [`-${short}`] : [])];
};

function bash(): string {
  const values = allOptions().flatMap((name) => {
    const following = valuesOf(name);
    if (OPTIONS[name].type.kind === 'boolean') return [];
    const reply =
      following === 'files'
        ? 'compopt -o default; return'
        : `COMPREPLY=($(compgen -W "${(following ?? []).join(' ')}" -- "$current")); return`;
    return [`    ${typedAs(name).join('|')}) ${reply} ;;`];
  });
  const commands = COMMAND_NAMES.map((command) => {
    const [first, second] = command.split(' ');
    const words = [...wordsOf(command), ...flagsOf(command)].join(' ');
    const pattern = second === undefined ? `${first}\\ *` : `${first}\\ ${second}`;
    return `    ${pattern}) words="${words}" ;;`;
  });
  return `# bash completion for trainer
_trainer() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words=""
  case "$previous" in
${values.join('\n')}
  esac
  case "\${COMP_WORDS[1]} \${COMP_WORDS[2]}" in
${commands.join('\n')}
    bench\\ *) words="${COMMAND_NAMES.filter((name) => name.startsWith('bench '))
      .map((name) => name.split(' ')[1])
      .join(' ')}" ;;
  esac
  if ((COMP_CWORD == 1)); then words="${firstWords().join(' ')} help --help --version"; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _trainer trainer
`;
}

function zsh(): string {
  return `#compdef trainer
# zsh completion for trainer, by way of its bash completion
autoload -U +X bashcompinit && bashcompinit
${bash()}`;
}

function fish(): string {
  const quoted = (text: string): string => `'${text.replace(/['\\]/g, '\\$&')}'`;
  const lines = COMMAND_NAMES.flatMap((command) => {
    const [first, second] = command.split(' ');
    const condition = quoted(
      [first, second]
        .filter(Boolean)
        .map((word) => `__fish_seen_subcommand_from ${word}`)
        .join('; and '),
    );
    const options = optionsOf(command).map((name) => {
      const following = valuesOf(name);
      const long = flagOf(name).slice(2);
      const short = OPTIONS[name].short ? ` -s ${OPTIONS[name].short}` : '';
      const value =
        OPTIONS[name].type.kind === 'boolean'
          ? ''
          : following === 'files'
            ? ' -r -F'
            : ` -x${following ? ` -a ${quoted(following.join(' '))}` : ''}`;
      return `complete -c trainer -n ${condition} -l ${long}${short}${value} -d ${quoted(OPTIONS[name].help)}`;
    });
    const words = wordsOf(command);
    return [
      second === undefined
        ? `complete -c trainer -n __fish_use_subcommand -a ${first} -d ${quoted(COMMANDS[command].summary)}`
        : `complete -c trainer -n '__fish_seen_subcommand_from ${first}' -a ${second} -d ${quoted(COMMANDS[command].summary)}`,
      ...(words.length > 0 ? [`complete -c trainer -n ${condition} -a ${quoted(words.join(' '))}`] : []),
      ...options,
    ];
  });
  return `# fish completion for trainer\ncomplete -c trainer -f\ncomplete -c trainer -n __fish_use_subcommand -a bench\n${lines.join('\n')}\n`;
}
