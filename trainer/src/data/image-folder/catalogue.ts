// What a source of images holds: the classes, the images of each, and whether one can train on that.
import { usageError } from '../../errors.js';
import { ArchiveError, printable, type SourceEntry } from '../files/contract.js';
import { isImage, type Placed, place, type Split } from './layout.js';

/** A validation image can be held out of each class and one is left. */
const LEAST_TRAINING_IMAGES = 2;

export class Catalogue {
  /** Images by class, in the order of the source. */
  readonly #images: Record<Split, Map<string, number>> = { train: new Map(), test: new Map() };
  readonly #passedOver: string[] = [];
  #top: string | undefined;
  #cifar10Binary = false;

  /** Takes note of an entry; returns its place where it is an image. A class's folder counts also without images. */
  add({ path, folder }: SourceEntry): Placed | undefined {
    this.#cifar10Binary ||= path.endsWith('data_batch_1.bin');
    const placed = place(path);
    // A file beside the class folders is no class, a folder within one no image.
    if (!placed || folder !== (placed.image === undefined)) return undefined;
    const counts = this.#images[placed.split];
    const image = isImage(path) && !folder;
    counts.set(placed.label, (counts.get(placed.label) ?? 0) + (image ? 1 : 0));
    if (folder) return undefined;
    if (image) return this.#underOneTop(placed);
    this.#passedOver.push(path);
    return undefined;
  }

  #underOneTop(placed: Placed): Placed {
    this.#top ??= placed.top;
    if (placed.top !== this.#top) {
      throw new ArchiveError(`holds train/ and test/ in two places (${printable(this.#top)}/ and ${printable(placed.top)}/)`);
    }
    return placed;
  }

  /** Leaves an unreadable image out of the counts. */
  remove({ split, label }: Placed): void {
    this.#images[split].set(label, this.#images[split].get(label)! - 1);
  }

  /** Class names in the order of their labels. */
  get classes(): string[] {
    return [...this.#images.train.keys()].sort();
  }

  /** Lines about what was not used. */
  get notices(): string[] {
    const [first] = this.#passedOver;
    if (first === undefined) return [];
    const count = this.#passedOver.length;
    const files = count === 1 ? '1 file that is' : `${count} files that are`;
    return [`${files} not .jpg, .png or .webp passed over, such as ${printable(first)}`];
  }

  /** @throws TrainerError (usage) where these images cannot be trained on; `where` is the source's path. */
  check(where: string): void {
    const { train, test } = this.#images;
    const problem = this.#missing() ?? emptyClass(train, 'train') ?? emptyClass(test, 'test') ?? this.#classes();
    if (problem) throw usageError(`${where}: ${problem}`);
  }

  #missing(): string | undefined {
    const { train, test } = this.#images;
    const arrange = 'arrange the images as train/CLASS/* and test/CLASS/* (.jpg, .png or .webp)';
    if (train.size === 0 && this.#cifar10Binary) {
      return 'this is CIFAR-10 in binary form, which --data cifar10 reads: name it cifar-10-binary.tar.gz';
    }
    if (train.size === 0 && test.size === 0) return `it has neither train/CLASS/ nor test/CLASS/ images: ${arrange}`;
    if (train.size === 0) return `it has no train/CLASS/ images: ${arrange}`;
    if (test.size === 0) return `it has no test/CLASS/ images: ${arrange}`;
    return undefined;
  }

  #classes(): string | undefined {
    const { train, test } = this.#images;
    const [only] = train.keys();
    if (train.size === 1) return `it has one class only (${printable(only!)}): put images of a second one beside it`;
    const unknown = [...test.keys()].find((label) => !train.has(label));
    if (unknown !== undefined) {
      return `class ${printable(unknown)} is in test/ but not in train/: add training images of it, or remove test/${printable(unknown)}`;
    }
    const untested = [...train.keys()].find((label) => !test.has(label));
    if (untested !== undefined) {
      return `class ${printable(untested)} is in train/ but not in test/: add test images of it, or remove train/${printable(untested)}`;
    }
    const few = [...train].find(([, count]) => count < LEAST_TRAINING_IMAGES);
    if (few)
      return `class ${printable(few[0])} has too few training images: ${few[1]}, at least ${LEAST_TRAINING_IMAGES} are needed`;
    return undefined;
  }
}

function emptyClass(counts: ReadonlyMap<string, number>, split: Split): string | undefined {
  const empty = [...counts].find(([, count]) => count === 0);
  if (!empty) return undefined;
  const folder = `${split}/${printable(empty[0])}`;
  return `${folder} has no images (.jpg, .png or .webp): add some, or remove the folder`;
}
