// The conformance table: every TensorFlow.js op that a convolutional network may use, one line a case.
//
// Left out, because no CNN needs them in a step: strings, complex numbers and FFT, sparse and ragged tensors, three-dimensional
// convolutions. Left out, because their results' shapes depend on data, which a compiled function cannot have: booleanMask,
// whereAsync, unique, nonMaxSuppression. TensorFlow.js has no stateless random op: randomness is an input.
import type { ConformanceCase } from './case.js';
import { CONVOLUTIONS } from './convolutions.js';
import { ELEMENTWISE } from './elementwise.js';
import { LOSSES } from './losses.js';
import { REDUCTIONS_AND_ALGEBRA } from './reductions.js';
import { SHAPES } from './shapes.js';

export const CASES: readonly ConformanceCase[] = [
  ...CONVOLUTIONS,
  ...ELEMENTWISE,
  ...REDUCTIONS_AND_ALGEBRA,
  ...SHAPES,
  ...LOSSES,
];
