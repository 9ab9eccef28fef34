// The table of options as a page of documentation: OPTIONS.md.

import { type CommandName, defaultText, flagOf, OPTIONS, optionsOf } from '../settings/options.js';
import { COMMANDS } from './commands.js';

/** Markdown; one table per command. `npx vitest -u` writes it to OPTIONS.md. */
export function optionsMarkdown(): string {
  const commands = Object.keys(COMMANDS) as CommandName[];
  return `# Options\n\nMade from \`options.ts\`; do not edit.\n${commands
    .filter((name) => optionsOf(name).length > 0)
    .map(page)
    .join('')}`;
}

const page = (command: CommandName): string =>
  `\n## trainer ${command}\n\n${COMMANDS[command].summary}.\n\n| flag | what | default |\n| --- | --- | --- |\n${optionsOf(command).map(row).join('')}`;

function row(name: ReturnType<typeof optionsOf>[number]): string {
  const { type, metavar, short, alias, help } = OPTIONS[name];
  const value = type.kind === 'boolean' ? '' : ` ${metavar ?? (type.kind === 'choice' ? type.choices.join('|') : 'VALUE')}`;
  const others = [short && `-${short}`, alias && `--${alias}`].filter(Boolean).map((other) => `, \`${other}\``);
  const flag = `\`${flagOf(name)}${value}\`${others.join('')}`;
  // A bar would end the cell.
  return `| ${flag.replaceAll('|', '\\|')} | ${help} | ${defaultText(name) ?? ''} |\n`;
}
