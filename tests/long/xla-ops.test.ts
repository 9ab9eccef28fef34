// The whole conformance table through XLA: about three minutes of compiling.
import { describe } from 'vitest';
import { conformanceSuite } from '../../trainer/src/jit/conformance/suite.js';
import { openCompiled } from '../conformance/compiled.js';
import { noLibrary } from '../support/library.js';

const NO_KERNEL = 'XLA has no ResizeNearestNeighborGrad';

describe.skipIf(noLibrary)('with the native library', () => {
  conformanceSuite(
    { name: 'the compiled engine with XLA', open: openCompiled, jit: { xla: true } },
    {
      'resizeNearestNeighbor, larger: gradient': NO_KERNEL,
      'resizeNearestNeighbor, smaller: gradient': NO_KERNEL,
      'resizeNearestNeighbor, corners aligned: gradient': NO_KERNEL,
    },
  );
});
