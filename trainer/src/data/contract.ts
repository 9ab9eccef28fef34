// The dataset contract: every source of images ends as two dense sets of bytes with labels.

/** `N` images of `height` x `width` x 3 bytes (RGB, NHWC, row-major), and a label in [0, classes) for each. */
export interface ImageSet {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly images: Uint8Array;
  readonly labels: Int32Array;
}

export interface Dataset {
  /** 'cifar10', 'shapes10', or the name of the folder or archive. */
  readonly name: string;
  /** Where it came from, for people: 'downloaded', 'cache', 'drawn from seed 0', a path. */
  readonly origin: string;
  readonly classes: readonly string[];
  readonly train: ImageSet;
  readonly test: ImageSet;
  /** SHA-256 (hex) over classes, shapes, labels and images: the same data has the same hash wherever it came from. */
  readonly hash: string;
}

/** Mean and standard deviation of each channel over the training images, on the 0..255 scale. */
export interface ChannelStatistics {
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** Told of slow work: `done` of `total` units (bytes, images); `total` is undefined where unknown. */
export type OnProgress = (progress: {
  readonly what: string;
  readonly done: number;
  readonly total?: number;
  readonly unit: 'bytes' | 'images';
}) => void;

export interface LoadOptions {
  /** Folder for downloads and packed images. */
  readonly cacheDir: string;
  readonly onProgress?: OnProgress;
  /** A line for the user, such as why a source was not used. */
  readonly onNotice?: (line: string) => void;
  /** Leave unreadable images out (listed by onNotice) instead of refusing the data. */
  readonly skipBadImages?: boolean;
  readonly signal?: AbortSignal;
}
