// Weights cross between TensorFlow's layout (convolutions HWIO, dense [in, out]) and torchvision's (OIHW, [out, in]).
// The rank says which it is: nothing else in a network has rank 4 or 2. Depthwise kernels, which differ, are not handled.

/** Dense row-major float32 values. */
export interface FloatTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Axes of the source, in the order they have in the result. */
const TO_TORCH: Readonly<Record<number, readonly number[]>> = { 4: [3, 2, 0, 1], 2: [1, 0] };
const FROM_TORCH: Readonly<Record<number, readonly number[]>> = { 4: [2, 3, 1, 0], 2: [1, 0] };

/** HWIO to OIHW, [in, out] to [out, in]; other ranks are returned as they are, the same object. */
export const toTorchLayout = (tensor: FloatTensor): FloatTensor => permute(tensor, TO_TORCH[tensor.shape.length]);

/** OIHW to HWIO, [out, in] to [in, out]; other ranks are returned as they are, the same object. */
export const fromTorchLayout = (tensor: FloatTensor): FloatTensor => permute(tensor, FROM_TORCH[tensor.shape.length]);

/** The shape that `toTorchLayout` gives, without moving data. */
export const torchShape = (shape: readonly number[]): readonly number[] => {
  const axes = TO_TORCH[shape.length];
  return axes === undefined ? shape : axes.map((axis) => shape[axis]!);
};

function permute(tensor: FloatTensor, axes: readonly number[] | undefined): FloatTensor {
  if (axes === undefined) return tensor;
  const { shape, data } = tensor;
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const result = new Float32Array(data.length);
  const newShape = axes.map((axis) => shape[axis]!);
  // Ranks 2 and 4 in one loop nest: missing outer axes have size 1.
  const [s0, s1, s2, s3] = pad(newShape, 1);
  const [t0, t1, t2, t3] = pad(
    axes.map((axis) => strides[axis]!),
    0,
  );
  let at = 0;
  for (let i = 0; i < s0; i++)
    for (let j = 0; j < s1; j++)
      for (let k = 0; k < s2; k++) {
        const base = i * t0 + j * t1 + k * t2;
        for (let l = 0; l < s3; l++) result[at++] = data[base + l * t3]!;
      }
  return { shape: newShape, data: result };
}

const pad = (values: readonly number[], filler: number): [number, number, number, number] => {
  const [a, b, c, d] = [filler, filler, ...values].slice(-4);
  return [a!, b!, c!, d!];
};
