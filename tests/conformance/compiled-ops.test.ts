// The compiled engine against TensorFlow.js' pure-JavaScript backend, op by op.
import { conformanceSuite } from '../../trainer/src/jit/conformance/suite.js';
import { openCompiled } from './compiled.js';

conformanceSuite({ name: 'the compiled engine', open: openCompiled });
