// The compiled engine in bfloat16 and through XLA, against the same oracle.
import { describe } from 'vitest';
import { CASES } from '../../trainer/src/jit/conformance/cases.js';
import { CONVOLUTIONS } from '../../trainer/src/jit/conformance/convolutions.js';
import { conformanceSuite } from '../../trainer/src/jit/conformance/suite.js';
import { noLibrary } from '../support/library.js';
import { openCompiled } from './compiled.js';

/**
 * bfloat16 has 8 bits: a rounding error of 2^-9 an operand, at most twice that a product, and sums of some dozens of random
 * signs. 3% of the largest value is a dozen roundings; an op that mixes its types up fails outright.
 */
const BF16_TOLERANCE = 0.03;
describe.skipIf(noLibrary)('with the native library', () => {
  conformanceSuite(
    { name: 'the compiled engine in bf16', open: openCompiled, jit: { precision: 'bf16' } },
    { 'fused conv2d with bias and relu: gradient': 'one activation is so near 0 that rounding puts it on the other side' },
    CONVOLUTIONS.map((c) => ({ ...c, tolerance: BF16_TOLERANCE })),
  );

  // Every fifth case, as each takes a while to compile; tests/long has all of them, and XLA's one gap.
  conformanceSuite(
    { name: 'the compiled engine with XLA', open: openCompiled, jit: { xla: true } },
    {},
    CASES.filter(({ name }, i) => i % 5 === 0 && !name.startsWith('resizeNearestNeighbor')),
  );
});
