// A folder on this machine as a source: its train/ and test/, or those of its only folder that has them. Links in it are
// followed, as its owner made them.
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { exists } from '../disk.js';
import type { FileSource, OnRead, SourceEntry } from './contract.js';

/** train/CLASS/FILE */
const DEPTH = 3;
/** Files looked at together; more would only wait for the same disk. */
const PARALLEL = 64;

interface Listed {
  readonly path: string;
  readonly folder: boolean;
}

/** @throws the system's error where the folder cannot be read. */
export async function openFolder(path: string): Promise<FileSource> {
  const hash = createHash('sha256');
  const root = await findRoot(path);
  const listed = await list(root, '', DEPTH, hash);
  return {
    key: JSON.stringify([resolve(root), hash.digest('hex')]),
    entries: (wanted, onRead) => read(root, listed, wanted, onRead),
  };
}

/** Archives are often unpacked to a folder within a folder. */
async function findRoot(path: string): Promise<string> {
  if (await exists(join(path, 'train'))) return path;
  const entries = await readdir(path, { withFileTypes: true });
  const below = entries.filter((entry) => entry.isDirectory()).map((entry) => join(path, entry.name));
  const [root, another] = (await Promise.all(below.map(async (p) => ((await exists(join(p, 'train'))) ? [p] : [])))).flat();
  return root !== undefined && another === undefined ? root : path;
}

/** Everything below, sorted by name; sizes and times go into `hash`. */
async function list(root: string, below: string, depth: number, hash: { update(text: string): unknown }): Promise<Listed[]> {
  // At the top only the two that matter: a folder may lie beside a whole home directory.
  const names = (await readdir(join(root, below))).filter((name) => below !== '' || name === 'train' || name === 'test').sort();
  const listed: Listed[] = [];
  for (let i = 0; i < names.length; i += PARALLEL) {
    const paths = names.slice(i, i + PARALLEL).map((name) => (below === '' ? name : `${below}/${name}`));
    const stats = await Promise.all(paths.map((p) => stat(join(root, p)).catch(() => undefined)));
    for (const [k, found] of stats.entries()) {
      const path = paths[k]!;
      if (found?.isDirectory() && depth > 1) {
        listed.push({ path, folder: true }, ...(await list(root, path, depth - 1, hash)));
      } else if (found?.isFile()) {
        listed.push({ path, folder: false });
      }
      hash.update(`${JSON.stringify([path, found?.size ?? 0, found?.mtimeMs ?? 0])}\n`);
    }
  }
  return listed;
}

async function* read(
  root: string,
  listed: readonly Listed[],
  wanted: (path: string) => boolean,
  onRead: OnRead,
): AsyncGenerator<SourceEntry> {
  for (const [i, { path, folder }] of listed.entries()) {
    yield { path, folder, bytes: !folder && wanted(path) ? await readFile(join(root, path)) : undefined };
    onRead(i + 1, listed.length, 'images');
  }
}
