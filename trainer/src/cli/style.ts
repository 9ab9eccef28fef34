// How text looks on a given stream: colours, glyphs, width, and whether a line may be redrawn.
import pc from 'picocolors';
import type { Output } from './io.js';

type Env = NodeJS.ProcessEnv;
export type ColorChoice = 'auto' | 'always' | 'never';

/** Colours and glyphs; `paint` functions return their text unchanged where colours are off. */
export interface Style {
  readonly paint: Readonly<Record<'dim' | 'red' | 'yellow' | 'resnet' | 'plain', (text: string) => string>>;
  readonly glyph: Readonly<Record<'full' | 'empty' | 'dot', string>>;
}

const UNICODE = { full: '━', empty: '─', dot: '·' };
const ASCII = { full: '=', empty: '-', dot: '|' };

export const createStyle = (stream: Output, env: Env, choice: ColorChoice): Style =>
  styleOf(colorsOn(stream, env, choice), speaksUnicode(env));

function styleOf(colored: boolean, unicode: boolean): Style {
  const { dim, red, yellow, cyan } = pc.createColors(colored);
  // Cyan and yellow are told apart by colour-blind eyes; the names stand beside them anyway.
  return { paint: { dim, red, yellow, resnet: cyan, plain: yellow }, glyph: unicode ? UNICODE : ASCII };
}

/** For files. */
export const PLAIN_STYLE: Style = styleOf(false, true);

/** `--color` beats NO_COLOR (no-color.org) beats CLICOLOR_FORCE and FORCE_COLOR beats CLICOLOR=0 beats what the stream is. */
export function colorsOn(stream: Output, env: Env, choice: ColorChoice): boolean {
  if (choice !== 'auto') return choice === 'always';
  if (env['NO_COLOR']) return false;
  const forced = [env['CLICOLOR_FORCE'], env['FORCE_COLOR']].filter((value) => value !== undefined && value !== '');
  if (forced.some((value) => value !== '0' && value !== 'false')) return true;
  if (forced.length > 0 || env['CLICOLOR'] === '0') return false;
  return stream.isTTY === true && env['TERM'] !== 'dumb';
}

/** Unless the locale (POSIX: LC_ALL, LC_CTYPE, LANG, the first that is set) names another encoding. None set says nothing. */
export function speaksUnicode(env: Env): boolean {
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'];
  return locale === undefined || locale === '' || /utf-?8/i.test(locale);
}

/** A terminal that can redraw a line, with somebody watching. */
export const isInteractive = (stream: Output, env: Env): boolean =>
  stream.isTTY === true && env['TERM'] !== 'dumb' && !isOn(env['CI']);

const isOn = (value: string | undefined): boolean => value !== undefined && !['', '0', 'false'].includes(value);

/** Characters in a line: COLUMNS, else the terminal's, else 80. */
export function widthOf(stream: Output, env: Env): number {
  const columns = Number(env['COLUMNS']);
  return Number.isInteger(columns) && columns > 0 ? columns : stream.columns || 80;
}
