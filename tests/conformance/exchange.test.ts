// Exchanges with the host in the middle of a step, by both engines.
import { describe } from 'vitest';
import { openWasmSession } from '../../trainer/src/fallback/session.js';
import { exchangeSuite } from '../../trainer/src/jit/conformance/exchange-suite.js';
import { noLibrary } from '../support/library.js';
import { openCompiled } from './compiled.js';

describe.skipIf(noLibrary)('with the native library', () => {
  exchangeSuite({ name: 'the compiled engine', open: openCompiled });
});

exchangeSuite({ name: 'the wasm engine', open: openWasmSession });
