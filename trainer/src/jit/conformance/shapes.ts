// Ops that move values about: reshapes, slices, pads, joins, gathers, resizes; and tensors made from nothing.
import * as tf from '@tensorflow/tfjs-core';
import { bytes, type ConformanceCase, flags, ints, op, real, signed, whole } from './case.js';

// TensorFlow.js has no gradient for these.
const NO_GRADIENT = { gradient: 'none' } as const;

const reshapes: ConformanceCase[] = [
  op('reshape', { x: real(2, 3, 4) }, ({ x }) => tf.reshape(x, [4, 6])),
  op('reshape with one size left open', { x: real(2, 3, 4) }, ({ x }) => tf.reshape(x, [2, -1])),
  op('reshape of one value to a scalar', { x: real(1, 1) }, ({ x }) => tf.reshape(x, [])),
  op('flatten', { x: real(2, 3, 4) }, ({ x }) => x.flatten()),
  op('expandDims', { x: real(2, 3) }, ({ x }) => tf.expandDims(x, 1)),
  op('squeeze', { x: real(2, 1, 3, 1) }, ({ x }) => tf.squeeze(x, [1])),
  op('transpose', { x: real(2, 3) }, ({ x }) => tf.transpose(x)),
  op('transpose of an image', { x: real(2, 3, 4, 5) }, ({ x }) => tf.transpose(x, [0, 3, 1, 2])),
  op('transpose of int32', { x: signed(2, 3) }, ({ x }) => tf.transpose(x)),
  op('broadcastTo', { x: real(3, 1) }, ({ x }) => tf.broadcastTo(x, [2, 3, 4])),
  op('tile', { x: real(2, 3) }, ({ x }) => tf.tile(x, [2, 3])),
  op('reverse', { x: real(3, 4) }, ({ x }) => tf.reverse(x, 1)),
  op('reverse of two axes', { x: real(2, 3, 4) }, ({ x }) => tf.reverse(x, [0, 2])),
  op('flipLeftRight', { x: real(2, 3, 4, 2) }, ({ x }) => tf.image.flipLeftRight(x), NO_GRADIENT),
  op('depthToSpace', { x: real(1, 2, 3, 8) }, ({ x }) => tf.depthToSpace(x, 2), NO_GRADIENT),
  op('spaceToBatchND', { x: real(1, 4, 4, 2) }, ({ x }) =>
    tf.spaceToBatchND(
      x,
      [2, 2],
      [
        [0, 0],
        [0, 0],
      ],
    ),
  ),
  op('batchToSpaceND', { x: real(4, 2, 2, 2) }, ({ x }) =>
    tf.batchToSpaceND(
      x,
      [2, 2],
      [
        [0, 0],
        [0, 0],
      ],
    ),
  ),
];

const slices: ConformanceCase[] = [
  op('slice', { x: real(4, 5) }, ({ x }) => tf.slice(x, [1, 2], [2, 3])),
  op('slice to the end', { x: real(4, 5, 2) }, ({ x }) => tf.slice(x, [1, 2], [-1, 3])),
  op('slice of nothing', { x: real(4, 5) }, ({ x }) => tf.slice(x, [1, 0], [0, 5]), NO_GRADIENT),
  op('slice of int32', { x: signed(4, 5) }, ({ x }) => tf.slice(x, [1, 2], [2, 3])),
  op('slice of bool', { x: flags(6) }, ({ x }) => tf.slice(x, [1], [3])),
  op(
    'stridedSlice',
    { x: real(2, 7, 8, 2) },
    ({ x }) => tf.stridedSlice(x, [0, 0, 0, 0], [2, 7, 8, 2], [1, 2, 2, 1]),
    NO_GRADIENT,
  ),
  op('stridedSlice backwards', { x: real(5, 4) }, ({ x }) => tf.stridedSlice(x, [4, 0], [0, 4], [-2, 1]), NO_GRADIENT),
  op(
    'stridedSlice with masks',
    { x: real(5, 4) },
    ({ x }) => tf.stridedSlice(x, [1, 1], [3, 2], [1, 1], 1, 2, 0, 0, 0),
    NO_GRADIENT,
  ),
  op('pad', { x: real(2, 3) }, ({ x }) =>
    tf.pad(x, [
      [1, 0],
      [2, 3],
    ]),
  ),
  op('pad of an image', { x: real(2, 3, 4, 2) }, ({ x }) =>
    tf.pad(x, [
      [0, 0],
      [1, 1],
      [1, 1],
      [0, 0],
    ]),
  ),
  op('pad with another value', { x: real(3) }, ({ x }) => tf.pad(x, [[1, 2]], -1.5)),
  op('pad of int32', { x: signed(3) }, ({ x }) => tf.pad(x, [[1, 2]], 7)),
  op(
    'mirrorPad, reflect',
    { x: real(3, 4) },
    ({ x }) =>
      tf.mirrorPad(
        x,
        [
          [1, 2],
          [2, 0],
        ],
        'reflect',
      ),
    NO_GRADIENT,
  ),
  op(
    'mirrorPad, symmetric',
    { x: real(3, 4) },
    ({ x }) =>
      tf.mirrorPad(
        x,
        [
          [1, 2],
          [2, 0],
        ],
        'symmetric',
      ),
    NO_GRADIENT,
  ),
];

const joins: ConformanceCase[] = [
  op('concat', { a: real(2, 3), b: real(2, 1), c: real(2, 2) }, ({ a, b, c }) => tf.concat([a, b, c], 1)),
  op('concat of channels', { a: real(2, 3, 3, 1), b: real(2, 3, 3, 4) }, ({ a, b }) => tf.concat([a, b], -1)),
  op('concat of one', { a: real(2, 3) }, ({ a }) => tf.concat([a], 0)),
  op('concat with an empty tensor', { a: real(2, 3), b: real(0, 3) }, ({ a, b }) => tf.concat([a, b], 0), { gradient: ['a'] }),
  op('concat of int32', { a: signed(2), b: signed(3) }, ({ a, b }) => tf.concat([a, b], 0)),
  op('concat of bool', { a: flags(2), b: flags(3) }, ({ a, b }) => tf.concat([a, b], 0)),
  op('stack', { a: real(2, 3), b: real(2, 3) }, ({ a, b }) => tf.stack([a, b], 1)),
  op('stack of scalars', { a: real(), b: real() }, ({ a, b }) => tf.stack([a, b])),
  op('unstack', { x: real(3, 2) }, ({ x }) => tf.unstack(x)),
  op('unstack along the last axis', { x: real(2, 3, 2) }, ({ x }) => tf.unstack(x, -1)),
  op('split', { x: real(4, 6) }, ({ x }) => tf.split(x, 3, 1)),
  op('split into sizes', { x: real(4, 6) }, ({ x }) => tf.split(x, [1, 2, 3], 1)),
  op('one part of a split', { x: real(4, 6) }, ({ x }) => tf.split(x, 2, 1)[1]!),
];

const gathers: ConformanceCase[] = [
  op('gather', { x: real(5, 3), i: ints(4, 0, 0, 2) }, ({ x, i }) => tf.gather(x, i)),
  op('gather along an axis', { x: real(2, 5, 3), i: whole(5, 4) }, ({ x, i }) => tf.gather(x, i, 1)),
  op('gather by a matrix of indices', { x: real(5, 3), i: whole(5, 2, 2) }, ({ x, i }) => tf.gather(x, i)),
  op('gather by one index', { x: real(5, 3), i: whole(5) }, ({ x, i }) => tf.gather(x, i)),
  op('gather by batch', { x: real(2, 5), i: whole(5, 2, 3) }, ({ x, i }) => tf.gather(x, i, 1, 1), NO_GRADIENT),
  op('gather of int32', { x: signed(5, 2), i: whole(5, 3) }, ({ x, i }) => tf.gather(x, i)),
  op('gatherND', { x: real(3, 4), i: whole(3, 5, 2) }, ({ x, i }) => tf.gatherND(x, i), NO_GRADIENT),
  op('scatterND', { u: real(3, 2), i: whole(4, 3, 1) }, ({ u, i }) => tf.scatterND(i, u, [4, 2]), NO_GRADIENT),
  op('oneHot', { labels: whole(4, 6) }, ({ labels }) => tf.oneHot(labels, 4)),
  op('oneHot of float32', { labels: whole(4, 6) }, ({ labels }) => tf.oneHot(labels, 4, 1, 0, 'float32')),
  op('oneHot with other values, out of range', { labels: ints(0, 3, 5, -1) }, ({ labels }) => tf.oneHot(labels, 4, 5, -2)),
  op('oneHot of a matrix', { labels: whole(3, 2, 3) }, ({ labels }) => tf.oneHot(labels, 3)),
];

/**
 * The oracle's gradients of resizes are wrong in two ways: of a bilinear one, width and height of the result are exchanged; of a
 * nearest-neighbour one, all images but the first read past their own. So images are square, and single.
 */
const resizes: ConformanceCase[] = [
  op('resizeBilinear, larger', { x: real(2, 4, 4, 2) }, ({ x }) => tf.image.resizeBilinear(x, [5, 7])),
  op('resizeBilinear, smaller', { x: real(2, 7, 7, 2) }, ({ x }) => tf.image.resizeBilinear(x, [3, 4])),
  op('resizeBilinear, not square', { x: real(2, 3, 7, 2) }, ({ x }) => tf.image.resizeBilinear(x, [5, 5]), NO_GRADIENT),
  op('resizeBilinear, corners aligned', { x: real(1, 4, 4, 2) }, ({ x }) => tf.image.resizeBilinear(x, [5, 7], true)),
  op(
    'resizeBilinear, pixel centres',
    { x: real(1, 3, 4, 2) },
    ({ x }) => tf.image.resizeBilinear(x, [6, 8], false, true),
    NO_GRADIENT,
  ),
  op('resizeBilinear of bytes', { x: bytes(1, 3, 4, 2) }, ({ x }) => tf.image.resizeBilinear(x, [6, 8])),
  op('resizeNearestNeighbor, larger', { x: real(1, 3, 4, 2) }, ({ x }) => tf.image.resizeNearestNeighbor(x, [6, 8])),
  op('resizeNearestNeighbor, smaller', { x: real(1, 6, 8, 2) }, ({ x }) => tf.image.resizeNearestNeighbor(x, [3, 4])),
  op(
    'resizeNearestNeighbor of a batch',
    { x: real(3, 3, 4, 2) },
    ({ x }) => tf.image.resizeNearestNeighbor(x, [5, 5]),
    NO_GRADIENT,
  ),
  op('resizeNearestNeighbor, corners aligned', { x: real(1, 3, 4, 2) }, ({ x }) =>
    tf.image.resizeNearestNeighbor(x, [5, 7], true),
  ),
];

const made: ConformanceCase[] = [
  op('range', { x: real(5) }, ({ x }) => tf.add(x, tf.range(0, 5))),
  op('range of int32, by steps', { x: signed(4) }, ({ x }) => tf.add(x, tf.range(1, 9, 2, 'int32'))),
  op('range downwards', { x: real(3) }, ({ x }) => tf.add(x, tf.range(6, 0, -2))),
  op('linspace', { x: real(7) }, ({ x }) => tf.mul(x, tf.linspace(-1, 1, 7))),
  op('fill', { x: real(2, 3) }, ({ x }) => tf.mul(x, tf.fill([2, 3], 2.5))),
  op('a constant alone', { x: real(1) }, () => tf.tensor2d([1.5, -2, 3, 4], [2, 2]), NO_GRADIENT),
  op('zeros and ones', { x: real(2, 400) }, ({ x }) => tf.add(tf.mul(x, tf.zeros([2, 400])), tf.ones([400]))),
  op('zeros of int32', { x: signed(2, 400) }, ({ x }) => tf.add(x, tf.zeros([2, 400], 'int32'))),
  op('eye', { x: real(3, 3) }, ({ x }) => tf.mul(x, tf.eye(3))),
  op('diag', { x: real(3) }, ({ x }) => tf.diag(x), NO_GRADIENT),
  op('meshgrid', { a: real(3), b: real(2) }, ({ a, b }) => tf.meshgrid(a, b) as tf.Tensor[]),
  op('an input given back', { x: real(2, 3) }, ({ x }) => x),
];

export const SHAPES: readonly ConformanceCase[] = [...reshapes, ...slices, ...joins, ...gathers, ...resizes, ...made];
