import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { flagOf, optionsOf } from '../settings/options.js';
import { completionScript } from './completion.js';

/** What bash offers for the last word of a line. */
function offered(line: string): string[] {
  const words = line.split(' ');
  const script = `${completionScript('bash')}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
_trainer 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).split('\n').filter(Boolean);
}

test.each([
  ['trainer st', ['start']],
  ['trainer bench ', ['step', 'allreduce', 'scaling']],
  ['trainer start --max-', ['--max-steps', '--max-time', '--max-restarts']],
  ['trainer start --no-', ['--no-decay-norm', '--no-progress']],
  ['trainer start --preset ', ['quick', 'full', 'he']],
  ['trainer start --depth 20 --sh', ['--shortcut']],
  ['trainer bench step --s', ['--steps']],
  ['trainer completion ', ['bash', 'zsh', 'fish', '--help']],
  ['trainer start --epochs ', []],
])('bash completes "%s"', (line, words) => {
  expect(offered(line)).toEqual(words);
});

test('bash offers files where a file is meant', () => {
  // `compopt` works only within a completion, so it is watched instead.
  const script = `compopt() { echo "compopt $*"; }\n${completionScript('bash')}\nCOMP_WORDS=(trainer start --config x); COMP_CWORD=3; _trainer`;
  expect(execFileSync('bash', ['-c', script], { encoding: 'utf8' })).toBe('compopt -o default\n');
});

test('fish knows every flag of every command, and zsh borrows from bash', () => {
  const fish = completionScript('fish');
  for (const name of optionsOf('start')) expect(fish).toContain(` -l ${flagOf(name).slice(2)}`);
  expect(fish).toContain("-n '__fish_seen_subcommand_from bench; and __fish_seen_subcommand_from step' -l steps");
  expect(completionScript('zsh')).toContain('complete -F _trainer trainer');
});
