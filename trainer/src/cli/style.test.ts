import { expect, test } from 'vitest';
import { type ColorChoice, colorsOn, isInteractive, speaksUnicode, widthOf } from './style.js';

const terminal = { write: () => true, isTTY: true, columns: 100 };
const pipe = { write: () => true };

test.each<[string, NodeJS.ProcessEnv, ColorChoice, boolean, boolean]>([
  // name, environment, --color, on a terminal, in a pipe
  ['nothing is said', {}, 'auto', true, false],
  ['--color=always beats NO_COLOR', { NO_COLOR: '1' }, 'always', true, true],
  ['--color=never beats FORCE_COLOR', { FORCE_COLOR: '1' }, 'never', false, false],
  ['NO_COLOR beats CLICOLOR_FORCE', { NO_COLOR: '1', CLICOLOR_FORCE: '1' }, 'auto', false, false],
  ['NO_COLOR beats FORCE_COLOR', { NO_COLOR: '1', FORCE_COLOR: '3' }, 'auto', false, false],
  ['an empty NO_COLOR says nothing', { NO_COLOR: '' }, 'auto', true, false],
  ['CLICOLOR_FORCE beats CLICOLOR=0', { CLICOLOR_FORCE: '1', CLICOLOR: '0' }, 'auto', true, true],
  ['FORCE_COLOR beats CLICOLOR=0', { FORCE_COLOR: 'true', CLICOLOR: '0' }, 'auto', true, true],
  ['FORCE_COLOR=0 forces none', { FORCE_COLOR: '0' }, 'auto', false, false],
  ['CLICOLOR=0', { CLICOLOR: '0' }, 'auto', false, false],
  ['TERM=dumb', { TERM: 'dumb' }, 'auto', false, false],
])('colours: %s', (_, env, choice, onTerminal, inPipe) => {
  expect(colorsOn(terminal, env, choice)).toBe(onTerminal);
  expect(colorsOn(pipe, env, choice)).toBe(inPipe);
});

test.each<[NodeJS.ProcessEnv, boolean]>([
  [{}, true],
  [{ TERM: 'dumb' }, false],
  [{ CI: 'true' }, false],
  [{ CI: 'false' }, true],
  [{ CI: '' }, true],
])('with %j a terminal is drawn on: %s', (env, drawn) => {
  expect(isInteractive(terminal, env)).toBe(drawn);
  expect(isInteractive(pipe, env)).toBe(false);
});

test.each<[NodeJS.ProcessEnv, boolean]>([
  [{ LANG: 'de_DE.UTF-8' }, true],
  [{ LANG: 'C.utf8' }, true],
  [{ LANG: 'C' }, false],
  [{ LC_ALL: 'POSIX', LANG: 'en_US.UTF-8' }, false],
  [{ LC_CTYPE: 'en_US.UTF-8', LANG: 'C' }, true],
  [{}, true],
])('with %j Unicode is spoken: %s', (env, unicode) => {
  expect(speaksUnicode(env)).toBe(unicode);
});

test('COLUMNS beats the terminal, which beats 80', () => {
  expect(widthOf(terminal, { COLUMNS: '60' })).toBe(60);
  expect(widthOf(terminal, { COLUMNS: 'wide' })).toBe(100);
  expect(widthOf(pipe, {})).toBe(80);
});
