// What this machine has to train on, asked of the system, not of TensorFlow.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** nvidia-smi counts in MiB. */
const MIB = 1.048576;

export interface Gpu {
  readonly index: number;
  readonly name: string;
  readonly memoryMegabytes: number;
  readonly driver: string;
}

type Listed = Gpu & { readonly uuid: string };

/** GPUs that nvidia-smi lists and CUDA_VISIBLE_DEVICES leaves visible, in its order; none where there is no nvidia-smi. */
export async function findGpus(env: NodeJS.ProcessEnv = process.env): Promise<Gpu[]> {
  const query = ['--query-gpu=index,name,memory.total,driver_version,uuid', '--format=csv,noheader,nounits'];
  const listed = await run('nvidia-smi', query, { env, timeout: 10_000 }).then(
    ({ stdout }) => stdout,
    () => '',
  );
  const gpus = listed.split('\n').flatMap((line): Listed[] => {
    const [index, name, memory, driver, uuid] = line.split(',').map((field) => field.trim());
    // Failures ("No devices were found") are told on stdout too.
    if (!index || !name || !uuid || !Number.isInteger(Number(index))) return [];
    return [{ index: Number(index), name, memoryMegabytes: Math.round(Number(memory) * MIB), driver: driver ?? '', uuid }];
  });
  return visibleOf(gpus, env['CUDA_VISIBLE_DEVICES']).map(({ uuid: _, ...gpu }) => gpu);
}

/** As CUDA reads the variable: indices or beginnings of UUIDs; the first that names no GPU ends the list. */
function visibleOf(gpus: readonly Listed[], visible: string | undefined): readonly Listed[] {
  if (visible === undefined) return gpus;
  const chosen: Listed[] = [];
  for (const id of visible.split(',').map((part) => part.trim())) {
    // nvidia-smi's list does not say which GPU a MIG slice is part of; CUDA uses one slice in a process.
    const gpu = gpus.find(
      ({ index, uuid }) => id === String(index) || (id.length > 4 && uuid.startsWith(id)) || id.startsWith('MIG-'),
    );
    if (!gpu || chosen.includes(gpu)) break;
    chosen.push(gpu);
  }
  return chosen;
}

export interface Cpu {
  readonly model: string;
  readonly cores: number;
  readonly memoryMegabytes: number;
  /** Of the instruction sets that decide TensorFlow's speed, those present. Linux only. */
  readonly features: readonly string[];
}

const FEATURES = ['avx2', 'avx512f', 'avx512_bf16', 'amx_bf16'];

export async function describeCpu(): Promise<Cpu> {
  const info = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  const flags = new Set(/^flags\s*:\s*(.*)$/m.exec(info)?.[1]?.split(' '));
  return {
    model: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryMegabytes: Math.round(totalmem() / 1e6),
    features: FEATURES.filter((feature) => flags.has(feature)),
  };
}
