// One encoded image to bytes: any of JPEG, PNG, WebP; grey, colour, CMYK, 16 bits, with transparency, however turned.
import sharp, { type Sharp } from 'sharp';

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Decoded extends Size {
  /** height x width x 3, RGB. */
  readonly pixels: Uint8Array;
}

/** An image larger than this many pixels is taken for a decompression bomb. */
const MAX_PIXELS = 1 << 26;

// Many small images at once, one thread each, none seen twice.
sharp.concurrency(1);
sharp.cache(false);

const openImage = (bytes: Uint8Array): Sharp => sharp(bytes, { failOn: 'error', limitInputPixels: MAX_PIXELS, autoOrient: true });

/** Width and height as shown, EXIF orientation applied, from the file's header. */
export async function measure(bytes: Uint8Array): Promise<Size> {
  const { autoOrient } = await openImage(bytes).metadata();
  return { width: autoOrient.width, height: autoOrient.height };
}

/**
 * Decodes, with `target` scaled to cover it and cut at the centre. Transparent parts show white.
 *
 * @throws Error that says what is wrong with the image.
 */
export async function decode(bytes: Uint8Array, target?: Size): Promise<Decoded> {
  const image = openImage(bytes);
  if (target) image.resize(target.width, target.height, { fit: 'cover', position: 'centre' });
  const { data, info } = await image
    .flatten({ background: '#fff' })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new Error(`${info.channels} channels after conversion to RGB`);
  return { width: info.width, height: info.height, pixels: data };
}
