// Where images lie in a source: [TOP/]train/CLASS/IMAGE and [TOP/]test/CLASS/IMAGE.

export type Split = 'train' | 'test';

/** What a path means. `label` is the class's name; `image` is undefined for the class's folder itself. */
export interface Placed {
  readonly top: string;
  readonly split: Split;
  readonly label: string;
  readonly image: string | undefined;
}

const IMAGE = /\.(jpe?g|png|webp)$/i;

/** Hidden files and what file managers add. */
const CLUTTER = /(^|\/)(\.|__MACOSX(\/|$)|Thumbs\.db$|desktop\.ini$)/i;

const isSplit = (name: string | undefined): name is Split => name === 'train' || name === 'test';

/** undefined for whatever does not belong to a class. */
export function place(path: string): Placed | undefined {
  if (CLUTTER.test(path)) return undefined;
  const segments = path.split('/');
  const top = isSplit(segments[0]) ? '' : segments.shift()!;
  const [split, label, image, ...deeper] = segments;
  if (!isSplit(split) || label === undefined || deeper.length > 0) return undefined;
  return { top, split, label, image };
}

/** Whether the path is an image's, going by its place and ending. */
export const isImage = (path: string): boolean => IMAGE.test(path) && place(path)?.image !== undefined;
