// Activations, arithmetic with broadcasting, comparisons and logic.
import * as tf from '@tensorflow/tfjs-core';
import {
  type AnyTensor,
  bytes,
  type CaseOptions,
  type ConformanceCase,
  flags,
  floats,
  ints,
  op,
  positive,
  real,
  signed,
  unit,
  whole,
  wide,
} from './case.js';

type Unary = (x: AnyTensor) => AnyTensor;
type Binary = (a: AnyTensor, b: AnyTensor) => AnyTensor;

// TensorFlow.js has no gradient for these.
const NO_GRADIENT = { gradient: 'none' } as const;

const gelu: Unary = (x) => tf.mul(tf.mul(x, 0.5), tf.add(1, tf.erf(tf.div(x, Math.SQRT2))));
const swish: Unary = (x) => tf.mul(x, tf.sigmoid(x));
const hardSigmoid: Unary = (x) => tf.clipByValue(tf.add(tf.mul(x, 0.2), 0.5), 0, 1);
const mish: Unary = (x) => tf.mul(x, tf.tanh(tf.softplus(x)));

const ACTIVATIONS: Readonly<Record<string, Unary>> = {
  relu: tf.relu,
  relu6: tf.relu6,
  leakyRelu: (x) => tf.leakyRelu(x, 0.1),
  elu: tf.elu,
  selu: tf.selu,
  sigmoid: tf.sigmoid,
  logSigmoid: tf.logSigmoid,
  tanh: tf.tanh,
  softplus: tf.softplus,
  gelu,
  swish,
  mish,
  hardSigmoid,
  softmax: (x) => tf.softmax(x),
  logSoftmax: (x) => tf.logSoftmax(x),
};

const activations: ConformanceCase[] = [
  ...Object.entries(ACTIVATIONS).flatMap(([name, fn]) => [
    op(name, { x: real(3, 5) }, ({ x }) => fn(x)),
    op(`${name} of large values`, { x: wide(4, 7) }, ({ x }) => fn(x)),
  ]),
  op('relu of 0', { x: floats(-1, 0, 1) }, ({ x }) => tf.relu(x)),
  op('prelu', { x: real(2, 3, 3, 4), a: real(4) }, ({ x, a }) => tf.prelu(x, a)),
  op('softmax of an image', { x: real(2, 3, 3, 4) }, ({ x }) => tf.softmax(x)),
  op('softmax of one class', { x: real(3, 1) }, ({ x }) => tf.softmax(x)),
  op('step', { x: real(3, 5) }, ({ x }) => tf.step(x, 0.5)),
];

const UNARY: readonly (readonly [string, Unary, typeof real])[] = [
  ['abs', tf.abs, real],
  ['neg', tf.neg, real],
  ['square', tf.square, real],
  ['sqrt', tf.sqrt, positive],
  ['rsqrt', tf.rsqrt, positive],
  ['reciprocal', tf.reciprocal, positive],
  ['exp', tf.exp, real],
  ['expm1', tf.expm1, real],
  ['log', tf.log, positive],
  ['log1p', tf.log1p, positive],
  ['erf', tf.erf, real],
  ['sin', tf.sin, real],
  ['cos', tf.cos, real],
  ['tan', tf.tan, unit],
  ['asin', tf.asin, unit],
  ['acos', tf.acos, unit],
  ['atan', tf.atan, real],
  ['sinh', tf.sinh, real],
  ['cosh', tf.cosh, real],
  ['asinh', tf.asinh, real],
  ['acosh', (x) => tf.acosh(tf.add(x, 1)), positive],
  ['atanh', tf.atanh, unit],
  ['sign', tf.sign, real],
  ['floor', tf.floor, real],
  ['ceil', tf.ceil, real],
  ['round', tf.round, real],
  ['clipByValue', (x) => tf.clipByValue(x, -1, 0.5), real],
  ['zerosLike', (x) => tf.zerosLike(x), real],
  ['onesLike', (x) => tf.onesLike(x), real],
  ['clone', (x) => tf.clone(x), real],
];

// TensorFlow.js' gradients of three of them forget to sum over what was broadcast; the options are for those lines.
const BINARY: readonly (readonly [string, Binary, CaseOptions?])[] = [
  ['add', tf.add],
  ['sub', tf.sub],
  ['mul', tf.mul],
  ['maximum', tf.maximum, NO_GRADIENT],
  ['minimum', tf.minimum, NO_GRADIENT],
  ['squaredDifference', tf.squaredDifference, NO_GRADIENT],
  ['atan2', tf.atan2],
];

const arithmetic: ConformanceCase[] = [
  ...UNARY.map(([name, fn, input]) => op(name, { x: input(3, 7) }, ({ x }) => fn(x))),
  ...BINARY.flatMap(([name, fn, options]) => [
    op(name, { a: real(3, 5), b: real(3, 5) }, ({ a, b }) => fn(a, b)),
    op(`${name}, broadcast`, { a: real(2, 1, 4), b: real(3, 1) }, ({ a, b }) => fn(a, b), options),
    op(`${name} of a scalar`, { a: real(2, 3), b: real() }, ({ a, b }) => fn(a, b), options),
  ]),
  op('div', { a: real(3, 5), b: positive(3, 5) }, ({ a, b }) => tf.div(a, b)),
  op('div, broadcast', { a: real(2, 1, 4), b: positive(3, 1) }, ({ a, b }) => tf.div(a, b)),
  op('div by 0', { a: floats(1, -1, 0), b: floats(0, 0, 0) }, ({ a, b }) => tf.div(a, b), NO_GRADIENT),
  op('divNoNan', { a: floats(1, -1, 0, 3), b: floats(0, 2, 0, 4) }, ({ a, b }) => tf.divNoNan(a, b), NO_GRADIENT),
  op('floorDiv of int32', { a: signed(3, 5), b: ints(1, -2, 3, 4, -5) }, ({ a, b }) => tf.floorDiv(a, b)),
  op('floorDiv of floats', { a: real(3, 5), b: positive(5) }, ({ a, b }) => tf.floorDiv(a, b), NO_GRADIENT),
  op('mod', { a: real(3, 5), b: positive(3, 5) }, ({ a, b }) => tf.mod(a, b)),
  op('pow', { a: positive(3, 5), b: real(3, 5) }, ({ a, b }) => tf.pow(a, b)),
  op('pow, whole exponent', { a: real(3, 5) }, ({ a }) => tf.pow(a, 3)),
  op('addN', { a: real(2, 3), b: real(2, 3), c: real(2, 3) }, ({ a, b, c }) => tf.addN([a, b, c])),
  op('add of two scalars', { a: real(), b: real() }, ({ a, b }) => tf.add(a, b)),
  op('add of empty tensors', { a: real(0, 3), b: real(3) }, ({ a, b }) => tf.add(a, b), NO_GRADIENT),
  op('add of int32', { a: signed(3, 4), b: signed(4) }, ({ a, b }) => tf.add(a, b)),
  op('sub of int32', { a: signed(3, 4), b: signed(4) }, ({ a, b }) => tf.sub(a, b)),
  op('mul of int32', { a: signed(3, 4), b: signed(4) }, ({ a, b }) => tf.mul(a, b)),
  op('div of int32', { a: ints(7, -7, 9), b: ints(2, 2, 4) }, ({ a, b }) => tf.div(a, b)),
  op('maximum of int32', { a: signed(3, 4), b: signed(4) }, ({ a, b }) => tf.maximum(a, b)),
  op('mod of int32', { a: ints(7, -7, 9), b: ints(4, 4, 4) }, ({ a, b }) => tf.mod(a, b)),
  op('abs of int32', { a: signed(3, 4) }, ({ a }) => tf.abs(a)),
  op('neg of int32', { a: signed(3, 4) }, ({ a }) => tf.neg(a)),
  op('square of int32', { a: signed(3, 4) }, ({ a }) => tf.square(a)),
  op('float plus int32', { a: real(3), b: signed(3) }, ({ a, b }) => tf.add(a, b)),
  op('arithmetic with JavaScript numbers', { x: real(3) }, ({ x }) => tf.sub(tf.mul(2, tf.add(x, 1)), 0.5)),
  op('a value used twice', { x: real(3, 4) }, ({ x }) => tf.add(tf.mul(x, x), tf.exp(x))),
];

const COMPARE: Readonly<Record<string, Binary>> = {
  equal: tf.equal,
  notEqual: tf.notEqual,
  less: tf.less,
  lessEqual: tf.lessEqual,
  greater: tf.greater,
  greaterEqual: tf.greaterEqual,
};

const logic: ConformanceCase[] = [
  ...Object.entries(COMPARE).flatMap(([name, fn]) => [
    op(name, { a: floats(-1, 0, 1, 2), b: floats(0, 0, 0, 2) }, ({ a, b }) => fn(a, b), NO_GRADIENT),
    op(`${name} of int32, broadcast`, { a: whole(3, 4, 1), b: whole(3, 5) }, ({ a, b }) => fn(a, b)),
  ]),
  op('logicalAnd', { a: flags(3, 4), b: flags(4) }, ({ a, b }) => tf.logicalAnd(a, b)),
  op('logicalOr', { a: flags(3, 4), b: flags(4) }, ({ a, b }) => tf.logicalOr(a, b)),
  op('logicalXor', { a: flags(3, 4), b: flags(3, 4) }, ({ a, b }) => tf.logicalXor(a, b)),
  op('logicalNot', { a: flags(3, 4) }, ({ a }) => tf.logicalNot(a)),
  op('where', { c: flags(3, 4), a: real(3, 4), b: real(3, 4) }, ({ c, a, b }) => tf.where(c, a, b)),
  op('where, broadcast', { c: flags(3, 1), a: real(4), b: real(3, 4) }, ({ c, a, b }) => tf.where(c, a, b)),
  op('where of int32', { c: flags(5), a: signed(5), b: signed(5) }, ({ c, a, b }) => tf.where(c, a, b)),
  op('masked by a comparison', { x: real(3, 4) }, ({ x }) => tf.where(tf.greater(x, 0), x, tf.zerosLike(x)), NO_GRADIENT),
  op('isNaN', { x: floats(1, Number.NaN, Infinity) }, ({ x }) => tf.isNaN(x), NO_GRADIENT),
  op('isInf', { x: floats(1, Number.NaN, -Infinity) }, ({ x }) => tf.isInf(x), NO_GRADIENT),
  op('isFinite', { x: floats(1, Number.NaN, Infinity) }, ({ x }) => tf.isFinite(x), NO_GRADIENT),
];

const casts: ConformanceCase[] = [
  op('cast of float32 to int32', { x: floats(-1.7, -0.2, 0.9, 2.5) }, ({ x }) => tf.cast(x, 'int32'), NO_GRADIENT),
  op('cast of float32 to bool', { x: floats(-1.7, 0, 0.9) }, ({ x }) => tf.cast(x, 'bool'), NO_GRADIENT),
  op('cast of int32 to float32', { x: signed(5) }, ({ x }) => tf.cast(x, 'float32')),
  op('cast of int32 to bool', { x: ints(0, 2, -1) }, ({ x }) => tf.cast(x, 'bool')),
  op('cast of bool to float32', { x: flags(5) }, ({ x }) => tf.cast(x, 'float32')),
  op('cast of bool to int32', { x: flags(5) }, ({ x }) => tf.cast(x, 'int32')),
  op('cast of bytes to float32', { x: bytes(2, 3, 3, 1) }, ({ x }) => tf.div(tf.cast(x, 'float32'), 255)),
  op('bytes given back are int32', { x: bytes(4) }, ({ x }) => tf.clone(x)),
];

export const ELEMENTWISE: readonly ConformanceCase[] = [...activations, ...arithmetic, ...logic, ...casts];
