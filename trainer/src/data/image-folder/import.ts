// Turns a folder or archive of images into packed sets of one size. Images are decoded in parallel as the source streams by:
// once where all have the same size, twice (first only measured) where they do not.
import { usageError } from '../../errors.js';
import type { LoadOptions } from '../contract.js';
import { type FileSource, printable } from '../files/contract.js';
import type { PackedSet, Packing } from '../pack.js';
import { Catalogue } from './catalogue.js';
import type { Size } from './decode.js';
import { isImage, type Placed, type Split } from './layout.js';
import { PixelStore } from './store.js';

export interface ImportOptions extends Pick<LoadOptions, 'onProgress' | 'skipBadImages' | 'signal'> {
  /** The user's path, for messages; `name` is its last part. */
  readonly where: string;
  readonly name: string;
}

/** Sizes that networks of this family train on in sensible time. Images that agree on a smaller one keep it. */
const SIDE = { least: 32, most: 224, leastKept: 8 } as const;
/** One piece of memory and one file hold all images. */
const MAX_BYTES = 4e9;
/** Images in work at the same time: enough to keep every thread busy. */
const IN_FLIGHT = 64;

interface Imported extends Placed {
  readonly path: string;
  /** In the store. */
  readonly number: number;
}

/** @throws TrainerError (usage) where the images cannot be used; ArchiveError and system errors of the source. */
export async function importImages(source: FileSource, options: ImportOptions): Promise<Packing> {
  const first = await importPass(source, options, undefined);
  if (first.images) return packing(first, first.images, options, []);
  const target = commonSize(first.sizes);
  const second = await importPass(source, options, target);
  const notice = `images of different or large sizes brought to ${target.width}x${target.height}, cut at the centre`;
  return packing(second, second.images!, options, [notice]);
}

interface Pass {
  readonly catalogue: Catalogue;
  readonly bad: string[];
  readonly sizes: Size[];
  /** undefined where sizes turned out to differ: all are measured then. */
  readonly images: { readonly size: Size; readonly store: PixelStore; readonly list: Imported[] } | undefined;
}

/** Reads all images. Without `target`, decodes them for as long as they have the size of the first. */
async function importPass(source: FileSource, options: ImportOptions, target: Size | undefined): Promise<Pass> {
  // Costs a tenth of a second, which loading from the cache need not pay.
  const { decode, measure } = await import('./decode.js');
  const pass = { catalogue: new Catalogue(), bad: [] as string[], sizes: [] as Size[] };
  const list: Imported[] = [];
  let size = target;
  let store = target && new PixelStore(bytesOf(target));
  let measuring = false;

  const take = async (path: string, placed: Placed, bytes: Uint8Array): Promise<void> => {
    try {
      if (!size) {
        size = await measure(bytes);
        measuring = !keepsSize(size);
        store = measuring ? undefined : new PixelStore(bytesOf(size));
      }
      const decoded = measuring ? undefined : await decode(bytes, target);
      pass.sizes.push(decoded ?? (await measure(bytes)));
      if (!decoded || measuring) return;
      if (decoded.width !== size.width || decoded.height !== size.height) measuring = true;
      else list.push({ ...placed, path, number: store!.add(decoded.pixels) });
    } catch {
      pass.bad.push(path);
      pass.catalogue.remove(placed);
    }
  };
  await forEachImage(source, options, {
    catalogue: pass.catalogue,
    alone: () => size === undefined,
    work: (path, placed, bytes) => {
      if (size && !measuring && (list.length + 1) * bytesOf(size) > MAX_BYTES) throw tooMany(options.where, size);
      return take(path, placed, bytes);
    },
  });
  if (pass.bad.length > 0 && !options.skipBadImages) throw refuseBad(options.where, pass.bad, pass.sizes.length);
  pass.catalogue.check(options.where);
  return { ...pass, images: measuring ? undefined : { size: size!, store: store!, list } };
}

const bytesOf = ({ width, height }: Size): number => width * height * 3;

const keepsSize = ({ width, height }: Size): boolean =>
  Math.max(width, height) <= SIDE.most && Math.min(width, height) >= SIDE.leastKept;

interface Work {
  readonly catalogue: Catalogue;
  /** Whether the next image has to be worked on before any other. */
  readonly alone: () => boolean;
  /** May throw; the promise must not reject. */
  readonly work: (path: string, placed: Placed, bytes: Uint8Array) => Promise<void>;
}

/** Works on up to IN_FLIGHT images at a time. */
async function forEachImage(
  source: FileSource,
  { onProgress, signal, name }: ImportOptions,
  { catalogue, alone, work }: Work,
): Promise<void> {
  const running = new Set<Promise<void>>();
  const onRead = (done: number, total: number, unit: 'bytes' | 'images'): void =>
    onProgress?.({ what: `reading ${name}`, done, total, unit });
  try {
    for await (const entry of source.entries(isImage, onRead)) {
      signal?.throwIfAborted();
      const placed = catalogue.add(entry);
      if (!placed || !entry.bytes) continue;
      const first = alone();
      const one: Promise<void> = work(entry.path, placed, entry.bytes).finally(() => running.delete(one));
      running.add(one);
      if (first || running.size >= IN_FLIGHT) await Promise.race(running);
    }
  } finally {
    await Promise.all(running);
  }
}

/** A square: the median of the shorter sides, within bounds. */
function commonSize(sizes: readonly Size[]): Size {
  const shorter = sizes.map(({ width, height }) => Math.min(width, height)).sort((a, b) => a - b);
  const median = shorter[Math.floor(shorter.length / 2)] ?? SIDE.least;
  const side = Math.min(SIDE.most, Math.max(SIDE.least, median));
  return { width: side, height: side };
}

function tooMany(where: string, size: Size): Error {
  return usageError(
    `${where}: more than ${Math.floor(MAX_BYTES / bytesOf(size))} images of ${size.width}x${size.height} do not fit into memory: use fewer or smaller ones`,
  );
}

function refuseBad(where: string, bad: readonly string[], good: number): Error {
  const names = [...bad].sort().slice(0, 3).map(printable).join(', ');
  const more = bad.length > 3 ? ', ...' : '';
  return usageError(
    `${where}: ${bad.length} of ${bad.length + good} images cannot be read (${names}${more}): replace or remove them, or leave them out with --skip-bad-images`,
  );
}

/** In the order of class and name, so that a folder and its archive make the same dataset. */
function packing(
  pass: Pass,
  { size, store, list }: NonNullable<Pass['images']>,
  { name }: ImportOptions,
  notices: string[],
): Packing {
  const { classes } = pass.catalogue;
  const labels = new Map(classes.map((label, i) => [label, i]));
  const sorted = [...list].sort((a, b) => labels.get(a.label)! - labels.get(b.label)! || (a.path < b.path ? -1 : 1));
  const set = (split: Split): PackedSet => {
    const members = sorted.filter((image) => image.split === split);
    return {
      ...size,
      count: members.length,
      labels: Int32Array.from(members, (image) => labels.get(image.label)!),
      images: store.inOrder(members.map((image) => image.number)),
    };
  };
  return {
    name,
    classes,
    notices: [...pass.catalogue.notices, ...notices],
    skipped: [...pass.bad].sort(),
    train: set('train'),
    test: set('test'),
  };
}
