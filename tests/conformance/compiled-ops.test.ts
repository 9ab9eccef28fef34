// The compiled engine against TensorFlow.js' pure-JavaScript backend, op by op.
import { describe } from 'vitest';
import { conformanceSuite } from '../../trainer/src/jit/conformance/suite.js';
import { noLibrary } from '../support/library.js';
import { openCompiled } from './compiled.js';

describe.skipIf(noLibrary)('with the native library', () => {
  conformanceSuite({ name: 'the compiled engine', open: openCompiled });
});
