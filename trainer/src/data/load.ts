// From the user's `--data` to a dataset. A further source adds its line here.
import { join } from 'node:path';
import { EXIT, TrainerError } from '../errors.js';
import { type Cifar10Origin, loadCifar10 } from './cifar10/cifar10.js';
import type { Dataset, LoadOptions } from './contract.js';
import { dataFolder } from './disk.js';
import { loadImageFolder } from './image-folder/image-folder.js';
import { packed, toDataset } from './packed.js';
import { drawShapes10, SHAPES10_FILE, SHAPES10_SEED } from './shapes10/shapes10.js';

/**
 * Loads `source`: 'cifar10', 'shapes10', 'auto' (CIFAR-10 where it is cached or can be downloaded, else shapes10), or the path
 * of a folder or archive of train/CLASS/ and test/CLASS/ images. The first time is slow; from then on a packed copy in
 * `options.cacheDir` is read. `./cifar10` is a path.
 *
 * @throws TrainerError (usage) for data that cannot be used, (environment) for disk and network; the signal's reason when aborted.
 */
export async function loadDataset(source: string, options: LoadOptions): Promise<Dataset> {
  switch (source) {
    case 'auto':
      return loadAuto(options);
    case 'cifar10':
      return loadCifar10(options);
    case 'shapes10':
      return loadShapes10(options);
    default:
      return loadImageFolder(source, options);
  }
}

/** CIFAR-10, and where the machine lacks what that takes, the drawn images: said aloud. */
export async function loadAuto(options: LoadOptions, origin?: Cifar10Origin): Promise<Dataset> {
  try {
    return await loadCifar10(options, origin);
  } catch (error) {
    if (!(error instanceof TrainerError) || error.exitCode !== EXIT.environment) throw error;
    options.onNotice?.(`${error.message}. Training on shapes10, drawn images, instead`);
    return loadShapes10(options);
  }
}

async function loadShapes10(options: LoadOptions): Promise<Dataset> {
  const path = join(await dataFolder(options.cacheDir), SHAPES10_FILE);
  const pack = await packed(path, options, () => drawShapes10(options));
  return toDataset(pack, `drawn from seed ${SHAPES10_SEED}`);
}
