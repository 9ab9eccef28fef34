// The WebAssembly engine's sessions: the contract that every engine keeps.
import { openWasmSession } from '../../trainer/src/fallback/session.js';
import { sessionSuite } from '../../trainer/src/jit/conformance/session-suite.js';

sessionSuite({ name: 'the WebAssembly engine', open: openWasmSession });
