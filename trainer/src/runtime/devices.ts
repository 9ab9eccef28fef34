// What this machine has to train on, asked of the system, not of TensorFlow.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Gpu {
  readonly index: number;
  readonly name: string;
  readonly memoryMegabytes: number;
  readonly driver: string;
}

/** GPUs that nvidia-smi lists and CUDA_VISIBLE_DEVICES leaves visible; none where there is no nvidia-smi. */
export async function findGpus(env: NodeJS.ProcessEnv = process.env): Promise<Gpu[]> {
  const query = ['--query-gpu=index,name,memory.total,driver_version,uuid', '--format=csv,noheader,nounits'];
  const listed = await run('nvidia-smi', query, { env, timeout: 10_000 }).then(
    ({ stdout }) => stdout,
    () => '',
  );
  const gpus = listed.split('\n').flatMap((line) => {
    const [index, name, memory, driver, uuid] = line.split(',').map((field) => field.trim());
    return index && name && uuid
      ? [{ index: Number(index), name, memoryMegabytes: Number(memory), driver: driver ?? '', uuid }]
      : [];
  });
  const visible = env['CUDA_VISIBLE_DEVICES']?.split(',').map((id) => id.trim());
  return gpus
    .filter(
      ({ index, uuid }) => !visible || visible.includes(String(index)) || visible.some((id) => id !== '' && uuid.startsWith(id)),
    )
    .map(({ uuid: _, ...gpu }) => gpu);
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
