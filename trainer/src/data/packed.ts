// Datasets by way of their packs: made at the first use, read from then on.
import type { Dataset, LoadOptions } from './contract.js';
import { type Pack, type Packing, readPack, writePack } from './pack.js';

/**
 * The pack at `path`, made first where it is missing or damaged. What `make` brings goes to disk and is read back, so that
 * the first run and later ones take the same way and its memory can be freed in between.
 */
export async function packed(path: string, { onNotice, signal }: LoadOptions, make: () => Promise<Packing>): Promise<Pack> {
  const found = await readPack(path, onNotice);
  if (found) return found;
  await writePack(path, await make(), signal);
  const pack = await readPack(path, onNotice);
  if (!pack) throw new Error(`${path} cannot be read back just after it was written`);
  return pack;
}

export const toDataset = ({ name, classes, train, test, hash }: Pack, origin: string): Dataset => ({
  name,
  origin,
  classes,
  train,
  test,
  hash,
});
