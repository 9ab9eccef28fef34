// Keeps decoded images of one size in large pieces of memory until their order is known.

const SLAB_BYTES = 1 << 24;

export class PixelStore {
  readonly #imageBytes: number;
  readonly #perSlab: number;
  readonly #slabs: Uint8Array[] = [];
  #count = 0;

  constructor(imageBytes: number) {
    this.#imageBytes = imageBytes;
    this.#perSlab = Math.max(1, Math.floor(SLAB_BYTES / imageBytes));
  }

  /** Copies an image in and returns its number. */
  add(pixels: Uint8Array): number {
    const number = this.#count++;
    if (number % this.#perSlab === 0) this.#slabs.push(new Uint8Array(this.#perSlab * this.#imageBytes));
    this.#slabs.at(-1)!.set(pixels, (number % this.#perSlab) * this.#imageBytes);
    return number;
  }

  get(number: number): Uint8Array {
    const start = (number % this.#perSlab) * this.#imageBytes;
    return this.#slabs[Math.floor(number / this.#perSlab)]!.subarray(start, start + this.#imageBytes);
  }

  /** The images of these numbers in turn, joined to pieces worth a write. */
  *inOrder(numbers: readonly number[]): Iterable<Uint8Array> {
    for (let i = 0; i < numbers.length; i += this.#perSlab) {
      const part = numbers.slice(i, i + this.#perSlab);
      const piece = new Uint8Array(part.length * this.#imageBytes);
      part.forEach((number, k) => {
        piece.set(this.get(number), k * this.#imageBytes);
      });
      yield piece;
    }
  }
}
