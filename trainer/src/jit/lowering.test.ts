import { describe, expect, test } from 'vitest';
import { randomStream } from '../random.js';
import { type CApi, DTYPE, loadLibrary } from '../runtime/capi.js';
import { findLibrary } from '../runtime/library.js';
import { elements, NativeTensor, viewOf } from '../runtime/tensor.js';
import { attribute } from './attributes.js';
import type { Graph, Value } from './graph.js';
import { lowered } from './lowering.js';
import { NativeSession } from './native-session.js';

const library = await findLibrary();

interface Convolution {
  /** [N, H, W, I] */
  readonly x: readonly [number, number, number, number];
  /** [A, B, O] */
  readonly kernel: readonly [number, number, number];
  readonly stride: number;
  readonly padding: 'SAME' | 'VALID';
  readonly dtype?: number;
}

/** The gradient of a convolution's weights as TensorFlow.js asks for it, and in the form that is run. */
function filterGradient(graph: Graph, convolution: Convolution): Forms {
  const {
    x: shape,
    kernel: [a, b, o],
    stride,
    padding,
    dtype = DTYPE.float32,
  } = convolution;
  const [n, height, width, i] = shape;
  const outputs = (size: number, side: number): number =>
    padding === 'SAME' ? Math.ceil(size / stride) : Math.floor((size - side) / stride) + 1;
  const fed = [
    graph.placeholder(DTYPE.float32, shape),
    graph.placeholder(DTYPE.float32, [n, outputs(height, a), outputs(width, b), o]),
  ] as const;
  const [x, dy] = fed.map((value) => graph.cast(value, dtype)) as [Value, Value];
  const attributes = [
    attribute('T', 'type', dtype),
    attribute('strides', 'int', [1, stride, stride, 1]),
    attribute('padding', 'string', padding),
    attribute('data_format', 'string', 'NHWC'),
    attribute('dilations', 'int', [1, 1, 1, 1]),
  ];
  const sizes = graph.constant(DTYPE.int32, [4], Int32Array.of(a, b, i, o));
  const plain = graph.apply('Conv2DBackpropFilter', [x, sizes, dy], attributes);
  return { fed, plain, other: lowered(graph, plain, attributes) };
}

function withSession<T>(use: (c: CApi, session: NativeSession) => T): T {
  const c = loadLibrary(library!.folder);
  const session = new NativeSession(c, {});
  try {
    return use(c, session);
  } finally {
    session.close();
  }
}

/** One result in TensorFlow.js' form and in the one that is run, from the same fed numbers. */
interface Forms {
  readonly fed: readonly Value[];
  readonly plain: Value;
  readonly other: Value;
}

/** Largest difference between the two forms on random numbers, relative to the largest value. */
function difference(forms: (graph: Graph) => Forms): number {
  return withSession((c, session) => {
    const { fed, plain, other } = forms(session.graph);
    expect(other).not.toBe(plain);
    expect(other.shape).toEqual(plain.shape);
    expect(other.dtype).toBe(plain.dtype);
    const fetches = [plain, other].map((value) => session.graph.cast(value, DTYPE.float32).out);
    const tensors = fed.map((value, which) => randomTensor(c, value.shape, which));
    const results = session.run(
      { feeds: fed.map((value) => value.out), fetches, targets: [] },
      tensors.map((tensor) => tensor.pointer),
      'both forms',
    );
    const [expected, actual] = results.map((tensor) => new Float32Array(viewOf(c, tensor).slice().buffer));
    for (const tensor of results) c.TF_DeleteTensor(tensor);
    for (const tensor of tensors) tensor.delete();
    const scale = expected!.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    return expected!.reduce((most, value, i) => Math.max(most, Math.abs(value - actual![i]!)), 0) / scale;
  });
}

function randomTensor(c: CApi, shape: readonly number[], which: number): NativeTensor {
  const random = randomStream(3, 'lowering', which);
  const values = Float32Array.from({ length: elements(shape) }, () => random.normal());
  return NativeTensor.from(c, DTYPE.float32, shape, values);
}

const form = (convolution: Convolution): string =>
  withSession((_c, session) => filterGradient(session.graph, convolution).other.op);

const SAME: Convolution = { x: [32, 4, 4, 128], kernel: [3, 3, 128], stride: 1, padding: 'SAME' };
const CASES: Readonly<Record<string, Convolution>> = {
  '3x3 same': SAME,
  '3x3 same, stride 2, even sides, padded right and below alone': { ...SAME, x: [32, 8, 6, 128], stride: 2 },
  '3x3 same, stride 2, odd sides': { ...SAME, x: [32, 7, 5, 128], stride: 2 },
  "3x3 valid, stride 2, one row and column too many, as PyTorch's padding gives": {
    ...SAME,
    x: [32, 10, 10, 128],
    stride: 2,
    padding: 'VALID',
  },
  '3x3 valid, stride 3, two columns too many': { ...SAME, x: [32, 9, 11, 128], stride: 3, padding: 'VALID' },
  '5x2 same, odd batch, more outputs than inputs': { ...SAME, x: [33, 4, 5, 128], kernel: [5, 2, 144] },
  '2x2 same, stride 3: pixels that no kernel sees': { ...SAME, x: [32, 6, 6, 128], kernel: [2, 2, 128], stride: 3 },
  '1x3 valid': { ...SAME, x: [40, 3, 6, 160], kernel: [1, 3, 128], padding: 'VALID' },
};

// Sums of up to 600 terms in another order; a pixel off by one changes the result by more than half.
const FLOAT32_ROUNDING = 1e-5;
// Both results are rounded to 8 bits: a step, at the largest value, is 2^-8 to 2^-7 of it.
const BFLOAT16_ROUNDING = 2 ** -7;

describe.skipIf(!library)('the gradient of convolution weights as a forward convolution', () => {
  test.each(Object.entries(CASES))('%s: the same to float32 rounding', (_name, convolution) => {
    expect(difference((graph) => filterGradient(graph, convolution))).toBeLessThan(FLOAT32_ROUNDING);
  });

  test.each(Object.entries(CASES))('%s: the same to bfloat16 rounding', (_name, convolution) => {
    expect(difference((graph) => filterGradient(graph, { ...convolution, dtype: DTYPE.bfloat16 }))).toBeLessThanOrEqual(
      BFLOAT16_ROUNDING,
    );
  });

  test.each<[string, Convolution]>([
    ['1x1 kernels', { ...SAME, kernel: [1, 1, 128] }],
    ['few channels', { ...SAME, x: [32, 4, 4, 32] }],
    ['few images', { ...SAME, x: [8, 4, 4, 128] }],
    ['large maps', { ...SAME, x: [32, 16, 16, 128] }],
  ])('%s keep their own kernel', (_name, convolution) => {
    expect(form(convolution)).toBe('Conv2DBackpropFilter');
  });
});

/** Rows [1, 1, n] times columns [1, n, 1], as TensorFlow.js multiplies reshaped vectors. */
function product(graph: Graph, left: Value, right: Value): Forms {
  const row = (x: Value): Value => {
    const shape = graph.constant(DTYPE.int32, [3], Int32Array.of(1, 1, elements(x.shape)));
    return graph.apply('Reshape', [x, shape], [attribute('T', 'type', DTYPE.float32), attribute('Tshape', 'type', DTYPE.int32)]);
  };
  const transposed = [attribute('adj_x', 'bool', false), attribute('adj_y', 'bool', true)];
  const attributes = [attribute('T', 'type', DTYPE.float32), ...transposed];
  const plain = graph.apply('BatchMatMulV2', [row(left), row(right)], attributes);
  return { fed: [...new Set([left, right])], plain, other: lowered(graph, plain, attributes) };
}

describe.skipIf(!library)("a vector's product with itself as a sum of squares", () => {
  const vector = (graph: Graph): Value => graph.placeholder(DTYPE.float32, [7, 300]);

  test('is the same to rounding', () => {
    const error = difference((graph) => {
      const x = vector(graph);
      return product(graph, x, x);
    });
    expect(error).toBeLessThan(FLOAT32_ROUNDING);
  });

  test("two vectors' product stays one", () => {
    withSession((_c, { graph }) => {
      const { plain, other } = product(graph, vector(graph), vector(graph));
      expect(other).toBe(plain);
    });
  });
});
