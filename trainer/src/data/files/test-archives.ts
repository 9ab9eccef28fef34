// Archives for tests, made in memory, honest and hostile.
import { zipSync } from 'fflate';
import { Header } from 'tar';

export interface TarFile {
  readonly path: string;
  readonly bytes?: Uint8Array;
  /** Default: a folder where the path ends in `/`, else a file. */
  readonly type?: 'File' | 'Directory' | 'SymbolicLink' | 'Link' | 'CharacterDevice';
  readonly linkpath?: string;
}

const BLOCK = 512;

/** An uncompressed tar archive. */
export function tarOf(files: readonly TarFile[]): Buffer {
  const blocks = files.flatMap(({ path, bytes = Buffer.alloc(0), type, linkpath }) => {
    const header = Buffer.alloc(BLOCK);
    const kind = type ?? (path.endsWith('/') ? 'Directory' : 'File');
    const encoded = new Header({
      path,
      size: bytes.length,
      type: kind,
      mode: 0o644,
      ...(linkpath !== undefined && { linkpath }),
    });
    encoded.encode(header);
    return [header, bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

/** 300 MB of zeros in five images of train/a/, some 300 KB long. */
export function zipBomb(): Uint8Array {
  const zeros = new Uint8Array(60_000_000);
  return zipSync(Object.fromEntries([0, 1, 2, 3, 4].map((i) => [`train/a/${i}.png`, zeros])), { level: 1 });
}

/** A folder `a` with one.txt ('one') and two.txt (500 times 'two'), by Python's tarfile and lzma: nothing here writes xz. */
export const TINY_TAR_XZ = Buffer.from(
  [
    '/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4Cf/AItdADCLvBunjDREwbqTFej848CSZWYrAKSTlMIeRKlrzy7SKLx0+fL+hx70Ok4S/1qxOGXRk6',
    'AkcTS0K/HIrKFUjEHwZW3GFgVrO4cy7suKQlpkkNTRzY31dPNvdwxkC9g6qWWWZpX3X+AL/pMyhEr8+pHkCK/kdrpdE6gCCMhhg6/tJ110yufL',
    'bI9nzn4AAJNg4dG0jarJAAGnAYBQAACwRMl7scRn+wIAAAAABFla',
  ].join(''),
  'base64',
);
