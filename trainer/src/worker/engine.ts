// Which engine trains: TensorFlow's library where it is installed, WebAssembly where it is not, said aloud.
// Registers the gradients of tfjs' ops, in the one form that Node loads.
import '@tensorflow/tfjs';
import type { RunConfig } from '@trainer/protocol';
import { environmentError } from '../errors.js';
import { openWasmSession } from '../fallback/session.js';
import { tracingBackend } from '../jit/backend.js';
import type { Session, SessionOptions } from '../jit/contract.js';
import { registerFusedKernels } from '../jit/kernels.js';
import { TensorFlowSession } from '../jit/session.js';
import { loadLibrary } from '../runtime/capi.js';
import { describeCpu } from '../runtime/devices.js';
import { setEnvironmentDefaults } from '../runtime/environment.js';
import { findLibrary } from '../runtime/library.js';
import { gpuFor } from './device-choice.js';

export interface EngineOptions {
  readonly engine: RunConfig['engine'];
  readonly session?: SessionOptions;
  /** Only kernels that give the same bits each time, where the device has faster ones that do not. */
  readonly deterministic?: boolean;
  /** Told in a line when the slower engine is taken, and what would make it faster. */
  readonly onNotice: (line: string) => void;
}

export interface Engine {
  readonly session: Session;
  /** For people and metadata: 'TensorFlow 2.21.0', 'WebAssembly'. */
  readonly library: string;
  /** For people: 'NVIDIA H100', 'AMD EPYC, 2 cores'. */
  readonly device: string;
  readonly gpu: boolean;
  /** The processor multiplies bfloat16 in hardware, so `--precision bf16` is faster. */
  readonly fastBf16: boolean;
}

const SLOW = 'training on the WebAssembly engine, many times slower: run `trainer setup` (it needs Python 3 with pip)';
const BF16_FEATURES = ['avx512_bf16', 'amx_bf16'];

/**
 * Opens a session on the first device of the best engine that the machine has.
 * @throws TrainerError (exit code 3) where `tensorflow` is asked for and not installed, or cannot be loaded.
 */
export async function openEngine({ engine, session = {}, deterministic = false, onNotice }: EngineOptions): Promise<Engine> {
  const [library, cpu] = await Promise.all([engine === 'wasm' ? undefined : findLibrary(), describeCpu()]);
  const cores = `${cpu.model}, ${cpu.cores} ${cpu.cores === 1 ? 'core' : 'cores'}`;
  if (!library) {
    if (engine === 'tensorflow')
      throw environmentError("TensorFlow's library is not installed: run `trainer setup`, or use --engine wasm");
    if (engine === 'auto') onNotice(`TensorFlow's library is not installed: ${SLOW}`);
    return { session: await openWasmSession(session), library: 'WebAssembly', device: cores, gpu: false, fastBf16: false };
  }
  // Who says the device has asked the system which there are, which takes a process.
  const found = session.device === undefined ? await gpuFor(library) : undefined;
  const device = session.device ?? (found && '/device:GPU:0');
  const gpu = device?.includes('GPU') ?? false;
  // Read by the library when it loads.
  if (deterministic) setEnvironmentDefaults({ TF_DETERMINISTIC_OPS: '1' });
  const c = loadLibrary(library.folder);
  tracingBackend();
  registerFusedKernels();
  return {
    session: new TensorFlowSession(c, { ...session, ...(device !== undefined && { device }) }, onNotice),
    library: `TensorFlow ${c.TF_Version()}`,
    device: found?.name ?? (gpu ? device! : cores),
    gpu,
    fastBf16: gpu || cpu.features.some((feature) => BF16_FEATURES.includes(feature)),
  };
}
