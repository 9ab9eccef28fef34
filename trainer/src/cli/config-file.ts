// Reading a configuration file (yaml, json or toml) into flat settings that remember their line.
import { readFileSync, statSync } from 'node:fs';
import { extname } from 'node:path';
import { usageError } from '../errors.js';

export const CONFIG_EXTENSIONS = ['.yaml', '.yml', '.json', '.toml'] as const;

/** A configuration is a page of text; anything larger is some other file. */
const MAX_BYTES = 1 << 20;

export interface Setting {
  /** As written in the file. */
  readonly key: string;
  readonly value: unknown;
  /** "trainer.yaml:3", or the file alone where the line is unknown. */
  readonly place: string;
}

/** @throws TrainerError (usage) naming file and line where the file cannot be read or understood. */
export async function readConfigFile(path: string): Promise<Setting[]> {
  const format = extname(path).toLowerCase();
  const parse = PARSERS[format];
  if (!parse) throw usageError(`${path}: a configuration file ends in ${CONFIG_EXTENSIONS.join(', ')}; rename it or convert it`);
  const text = readText(path);
  const document = await parse(text, path);
  if (document === null || document === undefined) return [];
  if (typeof document !== 'object' || Array.isArray(document))
    throw usageError(`${path}: must hold settings by name, such as "depth: 20"`);
  return Object.entries(document).map(([key, value]) => ({ key, value, place: placeOf(key, text, path) }));
}

function readText(path: string): string {
  try {
    if (statSync(path).size > MAX_BYTES) throw usageError(`${path}: larger than 1 MB, so not a configuration file`);
    return readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    const reason = REASONS[(error as NodeJS.ErrnoException).code ?? ''];
    if (reason === undefined) throw error;
    throw usageError(`cannot read the configuration file ${path}: ${reason}`, { cause: error });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist; check the path',
  ENOTDIR: 'it does not exist; check the path',
  EISDIR: 'it is a folder; name a file in it',
  EACCES: 'permission denied; make it readable with chmod +r',
};

type Parser = (text: string, path: string) => Promise<unknown>;

const PARSERS: Readonly<Record<string, Parser>> = {
  '.yaml': parseYaml,
  '.yml': parseYaml,
  '.json': parseJson,
  '.toml': parseToml,
};

async function parseYaml(text: string, path: string): Promise<unknown> {
  const { parseDocument, LineCounter } = await import('yaml');
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const error = document.errors[0];
  if (error) throw usageError(`${path}:${lines.linePos(error.pos[0]).line}: not valid YAML: ${firstLine(error.message)}`);
  try {
    return document.toJS();
  } catch (cause) {
    // Aliases that multiply beyond the parser's limit.
    throw usageError(`${path}: not usable YAML: ${firstLine((cause as Error).message)}`, { cause });
  }
}

async function parseJson(text: string, path: string): Promise<unknown> {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = firstLine((cause as Error).message);
    const position = /at position (\d+)/.exec(message)?.[1];
    const line = text.slice(0, position === undefined ? text.length : Number(position)).split('\n').length;
    throw usageError(`${path}:${line}: not valid JSON: ${message}`, { cause });
  }
}

async function parseToml(text: string, path: string): Promise<unknown> {
  const { parse, TomlError } = await import('smol-toml');
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    throw usageError(`${path}:${cause.line}: not valid TOML: ${firstLine(cause.message)}`, { cause });
  }
}

const firstLine = (message: string): string =>
  message
    .split('\n')[0]!
    .replace(/^Invalid TOML document: /, '')
    .replace(/:$/, '');

/** Settings are keys of the top level, so the first line that opens with the key is its own in all three formats. */
function placeOf(key: string, text: string, path: string): string {
  const escaped = key.replace(/[^\w-]/g, '\\$&');
  const opening = new RegExp(`^[\\s{,]*(["']?)${escaped}\\1\\s*[:=]`);
  const line = text.split('\n').findIndex((candidate) => opening.test(candidate));
  return line === -1 ? path : `${path}:${line + 1}`;
}
