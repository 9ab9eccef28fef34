// Convolutions and pools whose padding is given in numbers: pad first, then the same op 'valid'.
//
// The package's kernels know 'same' and 'valid' only. TensorFlow has EXPLICIT padding for convolutions, but its backward
// kernels leave oneDNN there and take 17 to 35 times as long on a CPU.
import * as tf from '@tensorflow/tfjs-core';
import type { ReplacedKernel } from './replace.js';

type Pads = [number, number][];
type Window = tf.backend_util.Conv2DInfo;

/** Attributes of the kernels that are wrapped here, as tfjs-core passes them. */
interface Attributes {
  readonly strides: number | [number, number];
  readonly pad: 'valid' | 'same' | number | tf.backend_util.ExplicitPadding;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
  readonly dilations?: number | [number, number];
  readonly dataFormat?: 'NHWC' | 'NCHW';
  readonly filterSize: number | [number, number];
  readonly filterShape: [number, number, number, number];
  readonly inputShape: Shape4D;
}
type Shape4D = [number, number, number, number];

const shapeOf = (tensor: tf.TensorInfo | undefined): Shape4D => tensor!.shape as Shape4D;

function convolutionWindow(input: Shape4D, filter: Shape4D, a: Attributes, depthwise: boolean): Window {
  const format = tf.backend_util.convertConv2DDataFormat(a.dataFormat ?? 'NHWC');
  return tf.backend_util.computeConv2DInfo(
    input,
    filter,
    a.strides,
    a.dilations ?? 1,
    a.pad,
    a.dimRoundingMode,
    depthwise,
    format,
  );
}

const poolWindow = (input: Shape4D, a: Attributes): Window =>
  tf.backend_util.computePool2DInfo(input, a.filterSize, a.strides, 1, a.pad, a.dimRoundingMode);

/** What to add on each side of a tensor's four axes; undefined where the padding has a name. */
function padsOf(window: Window): Pads | undefined {
  const { padInfo, dataFormat } = window;
  if (padInfo.type === 'VALID' || padInfo.type === 'SAME') return undefined;
  // On the far side just as much as the last window reaches, whichever way its position was rounded.
  const reach = (out: number, stride: number, filter: number, size: number, before: number): [number, number] => [
    before,
    Math.max(0, (out - 1) * stride + filter - size - before),
  ];
  const height = reach(window.outHeight, window.strideHeight, window.effectiveFilterHeight, window.inHeight, padInfo.top);
  const width = reach(window.outWidth, window.strideWidth, window.effectiveFilterWidth, window.inWidth, padInfo.left);
  return dataFormat === 'channelsLast' ? [[0, 0], height, width, [0, 0]] : [[0, 0], [0, 0], height, width];
}

const pad = (x: tf.TensorInfo | undefined, pads: Pads, value = 0): tf.Tensor => tf.pad(x as tf.Tensor, pads, value);
const padded = (shape: Shape4D, pads: Pads): Shape4D => shape.map((n, i) => n + pads[i]![0] + pads[i]![1]) as Shape4D;
const unpad = (x: tf.TensorInfo | tf.TensorInfo[], pads: Pads, shape: Shape4D): tf.Tensor =>
  tf.slice(
    tf.engine().makeTensorFromTensorInfo(x as tf.TensorInfo),
    pads.map(([before]) => before),
    shape,
  );

/** How many pixels each window of an average pool covers, as the factor from an average over the whole window. */
function shareOfPixels(window: Window): tf.Tensor4D {
  const inside = (out: number, stride: number, filter: number, size: number, before: number): number[] =>
    Array.from({ length: out }, (_, i) => {
      const start = i * stride - before;
      return filter / (Math.min(size, start + filter) - Math.max(0, start));
    });
  const { padInfo } = window;
  const rows = inside(window.outHeight, window.strideHeight, window.filterHeight, window.inHeight, padInfo.top);
  const columns = inside(window.outWidth, window.strideWidth, window.filterWidth, window.inWidth, padInfo.left);
  return tf.mul(tf.tensor4d(rows, [1, rows.length, 1, 1]), tf.tensor4d(columns, [1, 1, columns.length, 1]));
}

const forward =
  (depthwise: boolean): ReplacedKernel<Attributes> =>
  ({ inputs, attrs, original }) => {
    const pads = padsOf(convolutionWindow(shapeOf(inputs['x']), shapeOf(inputs['filter']), attrs, depthwise));
    if (!pads) return original(inputs, attrs);
    return original({ ...inputs, x: pad(inputs['x'], pads) }, { ...attrs, pad: 'valid' });
  };

const inputGradient =
  (depthwise: boolean): ReplacedKernel<Attributes> =>
  ({ inputs, attrs, original }) => {
    const { inputShape } = attrs;
    const pads = padsOf(convolutionWindow(inputShape, shapeOf(inputs['filter']), attrs, depthwise));
    if (!pads) return original(inputs, attrs);
    return unpad(original(inputs, { ...attrs, pad: 'valid', inputShape: padded(inputShape, pads) }), pads, inputShape);
  };

const filterGradient =
  (depthwise: boolean): ReplacedKernel<Attributes> =>
  ({ inputs, attrs, original }) => {
    const pads = padsOf(convolutionWindow(shapeOf(inputs['x']), attrs.filterShape, attrs, depthwise));
    if (!pads) return original(inputs, attrs);
    return original({ ...inputs, x: pad(inputs['x'], pads) }, { ...attrs, pad: 'valid' });
  };

const maxPool: ReplacedKernel<Attributes> = ({ inputs, attrs, original }) => {
  const pads = padsOf(poolWindow(shapeOf(inputs['x']), attrs));
  if (!pads) return original(inputs, attrs);
  return original({ x: pad(inputs['x'], pads, -Infinity) }, { ...attrs, pad: 'valid' });
};

const maxPoolGradient: ReplacedKernel<Attributes> = ({ inputs, attrs, original }) => {
  const shape = shapeOf(inputs['input']);
  const pads = padsOf(poolWindow(shape, attrs));
  if (!pads) return original(inputs, attrs);
  const input = pad(inputs['input'], pads, -Infinity);
  return unpad(original({ ...inputs, input }, { ...attrs, pad: 'valid' }), pads, shape);
};

const averagePool: ReplacedKernel<Attributes> = ({ inputs, attrs, original }) => {
  const window = poolWindow(shapeOf(inputs['x']), attrs);
  const pads = padsOf(window);
  if (!pads) return original(inputs, attrs);
  const mean = original({ x: pad(inputs['x'], pads) }, { ...attrs, pad: 'valid' }) as tf.TensorInfo;
  return tf.mul(tf.engine().makeTensorFromTensorInfo(mean), shareOfPixels(window));
};

const averagePoolGradient: ReplacedKernel<Attributes> = ({ inputs, attrs, original }) => {
  const shape = shapeOf(inputs['input']);
  const window = poolWindow(shape, attrs);
  const pads = padsOf(window);
  if (!pads) return original(inputs, attrs);
  const dy = tf.mul(inputs['dy'] as tf.Tensor, shareOfPixels(window));
  return unpad(original({ dy, input: pad(inputs['input'], pads) }, { ...attrs, pad: 'valid' }), pads, shape);
};

export const PADDED_KERNELS: Readonly<Record<string, ReplacedKernel<Attributes>>> = {
  Conv2D: forward(false),
  FusedConv2D: forward(false),
  Conv2DBackpropInput: inputGradient(false),
  Conv2DBackpropFilter: filterGradient(false),
  DepthwiseConv2dNative: forward(true),
  FusedDepthwiseConv2D: forward(true),
  DepthwiseConv2dNativeBackpropInput: inputGradient(true),
  DepthwiseConv2dNativeBackpropFilter: filterGradient(true),
  MaxPool: maxPool,
  MaxPoolGrad: maxPoolGradient,
  AvgPool: averagePool,
  AvgPoolGrad: averagePoolGradient,
};
