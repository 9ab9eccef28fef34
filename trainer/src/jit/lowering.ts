// Ops in another form that the CPU's kernels compute faster. Shapes are N batch, H W pixels, C I O channels, A B kernel.
//
// The gradient of a convolution's weights,
//   dw[a, b, i, o] = sum over n, h, w of x[n, s h + a, s w + b, i] * dy[n, h, w, o],
// is itself a convolution: of x with its channels as batch, by dy as kernel, dilated by the stride, summed over n as its
// channels. oneDNN's forward kernel is up to four times as fast as its kernel for weight gradients, which on TensorFlow's thread
// pool takes twice as long as on OpenMP's threads (infra/decisions/0004-speed.md).
import { DTYPE } from '../runtime/capi.js';
import { elements } from '../runtime/tensor.js';
import { type Attribute, attribute } from './attributes.js';
import type { Graph, Value } from './graph.js';

/**
 * The forward kernel passes over dy once for each row of dw and channel of x: worth it as long as a block of dy stays in the
 * second-level cache (1 MiB where this was measured).
 */
const CACHE_BYTES = 1 << 20;
const OUTPUT_CHANNELS_PER_BLOCK = 64;
/** Fewer give the forward kernel too little to do in each pass. */
const LEAST_CHANNELS = 64;
const LEAST_BATCH = 32;

/** One spatial axis of a convolution. */
interface Axis {
  /** Pixels of x that count, from the first. */
  readonly seen: number;
  readonly before: number;
  readonly after: number;
}

const find = <T>(attributes: readonly Attribute[], name: string): T => attributes.find((a) => a.name === name)?.value as T;
const bytesPerValue = (value: Value): number => (value.dtype === DTYPE.bfloat16 ? 2 : 4);

/** The same value, computed by faster ops where such are known, for a graph that the CPU runs op by op. `attributes` are its op's. */
export function lowered(graph: Graph, value: Value, attributes: readonly Attribute[]): Value {
  if (value.op === 'Conv2DBackpropFilter' && isFasterForward(value, attributes))
    return filterGradientForward(graph, value, attributes);
  if (value.op === 'BatchMatMulV2' && isSumOfSquares(value)) return sumOfSquares(graph, value);
  return value;
}

/** A vector's product with itself. */
function isSumOfSquares(value: Value): boolean {
  const [a, b] = value.inputs.map(withoutReshapes);
  return a === b && value.dtype === DTYPE.float32 && elements(value.shape) === 1;
}

/** As a product of matrices it takes a quarter of a millisecond however short the vector. */
function sumOfSquares(graph: Graph, value: Value): Value {
  const type = attribute('T', 'type', DTYPE.float32);
  const half = graph.apply('L2Loss', [withoutReshapes(value.inputs[0]!)], [type]);
  const two = graph.constant(DTYPE.float32, value.shape, Float32Array.of(2));
  return graph.apply('Mul', [half, two], [type]);
}

function withoutReshapes(value: Value): Value {
  let source = value;
  while (source.op === 'Reshape') source = source.inputs[0]!;
  return source;
}

function isFasterForward(value: Value, attributes: readonly Attribute[]): boolean {
  const [kernelHeight, kernelWidth, inputs, outputs] = value.shape as [number, number, number, number];
  const [x, , dy] = value.inputs as [Value, Value, Value];
  const [batch, height, width] = dy.shape as [number, number, number];
  return (
    find<string>(attributes, 'data_format') === 'NHWC' &&
    find<number[]>(attributes, 'dilations').every((d) => d === 1) &&
    ['SAME', 'VALID'].includes(find<string>(attributes, 'padding')) &&
    kernelHeight * kernelWidth > 1 &&
    Math.min(inputs, outputs) >= LEAST_CHANNELS &&
    batch >= LEAST_BATCH &&
    batch * height * width * OUTPUT_CHANNELS_PER_BLOCK * bytesPerValue(x) <= CACHE_BYTES
  );
}

function filterGradientForward(graph: Graph, value: Value, attributes: readonly Attribute[]): Value {
  const [x, , dy] = value.inputs as [Value, Value, Value];
  const [, strideH, strideW] = find<[number, number, number, number]>(attributes, 'strides');
  const same = find<string>(attributes, 'padding') === 'SAME';
  const [n, height, width, inputs] = x.shape as [number, number, number, number];
  const rows = axis(height, dy.shape[1]!, value.shape[0]!, strideH, same);
  const columns = axis(width, dy.shape[2]!, value.shape[1]!, strideW, same);
  const type = attribute('T', 'type', x.dtype);
  const seen =
    rows.seen === height && columns.seen === width
      ? x
      : graph.apply(
          'Slice',
          [x, int32s(graph, [0, 0, 0, 0]), int32s(graph, [n, rows.seen, columns.seen, inputs])],
          [type, attribute('Index', 'type', DTYPE.int32)],
        );
  const images = transpose(graph, seen, [3, 1, 2, 0]);
  const kernel = transpose(graph, dy, [1, 2, 0, 3]);
  const gradient = graph.apply(
    'Conv2D',
    [pad(graph, images, rows, columns), kernel],
    [
      type,
      attribute('strides', 'int', [1, 1, 1, 1]),
      attribute('dilations', 'int', [1, strideH, strideW, 1]),
      attribute('padding', 'string', 'VALID'),
      attribute('data_format', 'string', 'NHWC'),
    ],
  );
  return transpose(graph, gradient, [1, 2, 0, 3]);
}

/** Where a kernel of `side` pixels lies on an axis of `size` pixels to give `outputs` results. */
function axis(size: number, outputs: number, side: number, stride: number, same: boolean): Axis {
  const spanned = (outputs - 1) * stride + side;
  const padding = same ? Math.max(0, spanned - size) : 0;
  const before = Math.floor(padding / 2);
  return { seen: Math.min(size, spanned), before, after: padding - before };
}

/** TensorFlow merges a `Pad` into the convolution behind it, so that nothing is copied. */
function pad(graph: Graph, x: Value, rows: Axis, columns: Axis): Value {
  const amounts = [0, 0, rows.before, rows.after, columns.before, columns.after, 0, 0];
  if (amounts.every((n) => n === 0)) return x;
  const paddings = graph.constant(DTYPE.int32, [4, 2], Int32Array.from(amounts));
  return graph.apply('Pad', [x, paddings], [attribute('T', 'type', x.dtype), attribute('Tpaddings', 'type', DTYPE.int32)]);
}

function transpose(graph: Graph, x: Value, order: readonly number[]): Value {
  const types = [attribute('T', 'type', x.dtype), attribute('Tperm', 'type', DTYPE.int32)];
  return graph.apply('Transpose', [x, int32s(graph, order)], types);
}

const int32s = (graph: Graph, values: readonly number[]): Value =>
  graph.constant(DTYPE.int32, [values.length], Int32Array.from(values));
