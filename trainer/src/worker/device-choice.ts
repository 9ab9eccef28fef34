// Whether there is a GPU to train on, without opening anything.
import type { RunConfig } from '@trainer/protocol';
import { findGpus, type Gpu } from '../runtime/devices.js';
import { findLibrary, type LibraryLocation } from '../runtime/library.js';

/** The GPU that a library trains on, if it can and there is one. */
export const gpuFor = async ({ variant }: LibraryLocation): Promise<Gpu | undefined> =>
  variant === 'cpu' ? undefined : (await findGpus())[0];

/** Whether a run so configured would train on GPUs, without opening anything. */
export async function willUseGpu({ engine = 'auto', workers = null }: Partial<RunConfig>): Promise<boolean> {
  const library = engine === 'wasm' || workers !== null ? undefined : await findLibrary();
  return library !== undefined && (await gpuFor(library)) !== undefined;
}
