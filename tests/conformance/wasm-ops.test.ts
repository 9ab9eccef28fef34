// The WebAssembly engine against TensorFlow.js' pure-JavaScript backend, op by op.
import { openWasmSession } from '../../trainer/src/fallback/session.js';
import { conformanceSuite } from '../../trainer/src/jit/conformance/suite.js';

const NO_EINSUM = "TensorFlow.js' WebAssembly backend has no such kernel, and says so; matMul does the same";

conformanceSuite(
  { name: 'the WebAssembly engine', open: openWasmSession },
  {
    'floorDiv of floats': 'the right whole numbers as float32, where the other backends give int32',
    'einsum of matrices': NO_EINSUM,
    'einsum of batches': NO_EINSUM,
    'einsum of one': NO_EINSUM,
  },
);
