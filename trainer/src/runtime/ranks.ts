// Which devices a run trains on, one rank on each: what was asked for, held against what the machine has.
import { type GpuRequest, MOST_RANKS, parseGpus, type RunConfig } from '@trainer/protocol';
import { environmentError, usageError } from '../errors.js';
import type { Cpu, Gpu } from './devices.js';
import type { LibraryLocation } from './library.js';

export interface RankDevice {
  /** TensorFlow's name: `/device:GPU:2`, of the GPUs that are visible; `/device:CPU:0`. */
  readonly device: string;
  /** For people: 'NVIDIA H100', 'AMD EPYC, 2 of 4 cores'. */
  readonly name: string;
  /** Cores of a rank that shares them with others; absent: as many as the engine takes of itself. */
  readonly intraOpThreads?: number;
}

export interface RankPlan {
  /** By rank; at least one. */
  readonly devices: readonly RankDevice[];
  /** The ranks are on GPUs. */
  readonly gpu: boolean;
  /** What the user should know of the choice. */
  readonly notices: readonly string[];
}

/** What the machine has: `findGpus`, `describeCpu`, `findLibrary`. */
export interface Machine {
  /** Those visible, in TensorFlow's order. */
  readonly gpus: readonly Gpu[];
  readonly cpu: Pick<Cpu, 'model' | 'cores'>;
  /** Of TensorFlow's library, which trains on GPUs where it is not 'cpu'; undefined where none is installed. */
  readonly library: LibraryLocation['variant'] | undefined;
  /** CUDA_VISIBLE_DEVICES, where it is set. */
  readonly visible?: string | undefined;
}

/**
 * Without --gpus and --workers one rank: on the first GPU where there is one and a library for it, else on all cores.
 * @throws TrainerError (exit code 3) where GPUs are asked for that cannot be had: never fewer without a word
 */
export function chooseRanks(
  { workers, gpus, engine }: Pick<RunConfig, 'workers' | 'gpus' | 'engine'>,
  machine: Machine,
): RankPlan {
  const request = gpus === null ? undefined : parseGpus(gpus);
  if (request !== undefined) return onGpus(gpuIndices(request, gpus!, machine), machine);
  const canUseGpus = engine !== 'wasm' && machine.library !== undefined && machine.library !== 'cpu';
  if (workers === null && canUseGpus && machine.gpus.length > 0) return onGpus([0], machine);
  if (workers !== null && workers > MOST_RANKS)
    throw usageError(`--workers ${workers}: at most ${MOST_RANKS} can average their gradients together`);
  return onCpu(workers ?? 1, machine);
}

const onGpus = (indices: readonly number[], { gpus }: Machine): RankPlan => ({
  devices: indices.map((index) => ({ device: `/device:GPU:${index}`, name: gpus[index]!.name })),
  gpu: true,
  notices: [],
});

function gpuIndices(request: GpuRequest, text: string, machine: Machine): readonly number[] {
  const { gpus, cpu, library } = machine;
  const refuse = (reason: string, ...commands: string[]): Error =>
    environmentError(`--gpus ${text}: ${reason}: run ${[...commands, `"trainer start --workers ${cpu.cores}"`].join(' or ')}`);
  if (gpus.length === 0) throw refuse(found(machine));
  const indices = chosen(request, gpus.length);
  if (indices === undefined) throw refuse(found(machine), `"trainer start --gpus ${gpus.length}"`);
  if (library === undefined || library === 'cpu')
    throw refuse("TensorFlow's library for GPUs is not installed", '"trainer setup --variant gpu"');
  return indices;
}

/** Undefined where more are asked for than there are, or others. */
function chosen(request: GpuRequest, available: number): readonly number[] | undefined {
  const all = Array.from({ length: available }, (_, index) => index);
  if (request === 'all') return all;
  if ('count' in request) return request.count <= available ? all.slice(0, request.count) : undefined;
  return request.indices.every((index) => index < available) ? request.indices : undefined;
}

/** "1 GPU was found (0: NVIDIA H100; CUDA_VISIBLE_DEVICES=1)". */
function found({ gpus, visible }: Machine): string {
  const facts = gpus.map(({ name }, index) => `${index}: ${name}`);
  if (visible !== undefined) facts.push(`CUDA_VISIBLE_DEVICES=${visible}`);
  const count = gpus.length === 0 ? 'no GPU was' : gpus.length === 1 ? '1 GPU was' : `${gpus.length} GPUs were`;
  return `${count} found${facts.length === 0 ? '' : ` (${facts.join('; ')})`}`;
}

/** Ranks together are given every core once: 3 ranks on 8 cores have 3, 3 and 2. */
function onCpu(ranks: number, { cpu }: Machine): RankPlan {
  const { model, cores } = cpu;
  const device = '/device:CPU:0';
  const counted = `${cores} ${cores === 1 ? 'core' : 'cores'}`;
  if (ranks === 1) return { devices: [{ device, name: `${model}, ${counted}` }], gpu: false, notices: [] };
  const shares = Array.from({ length: ranks }, (_, rank) =>
    Math.max(1, Math.floor(cores / ranks) + (rank < cores % ranks ? 1 : 0)),
  );
  return {
    devices: shares.map((share) => ({ device, name: `${model}, ${share} of ${counted}`, intraOpThreads: share })),
    gpu: false,
    notices: ranks > cores ? [`${ranks} workers share ${counted}, and take turns: more than ${cores} are no faster`] : [],
  };
}
