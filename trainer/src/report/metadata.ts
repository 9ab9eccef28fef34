// metadata.json: where, when and with what a run was made, so that its numbers can be judged and repeated.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import { SIDES } from '@trainer/protocol';
import { z } from 'zod';
import type { RunMetadata } from './contract.js';

const MetadataSchema = z.object({
  name: z.string(),
  /** ISO 8601, UTC. */
  started: z.string(),
  command_line: z.array(z.string()),
  versions: z.object({ trainer: z.string(), node: z.string(), tfjs: z.string(), library: z.string() }),
  engine: z.string(),
  host: z.object({
    name: z.string(),
    os: z.string(),
    arch: z.string(),
    cpu: z.string(),
    cores: z.int(),
    memory_bytes: z.number(),
  }),
  devices: z.array(z.string()),
  seeds: z.array(z.int()),
  dataset: z.object({ name: z.string(), origin: z.string(), sha256: z.string() }),
  /** SHA-256 of each model's initial values. */
  init_sha256: z.partialRecord(z.enum(SIDES), z.string()),
  tags: z.array(z.string()),
  notes: z.string(),
  /** Each time training went on: when, and after how many completed steps. */
  resumed: z.array(z.object({ time: z.string(), step: z.int(), host: z.string(), node: z.string() })),
});

/** metadata.json as a value. */
export type RunRecord = z.infer<typeof MetadataSchema>;

/** What the loop knows, with what the machine says of itself. */
export function describeRun(name: string, metadata: RunMetadata, now: Date): RunRecord {
  const { commandLine, engine, library, devices, seeds, dataset, initHash, tags, notes } = metadata;
  return {
    name,
    started: now.toISOString(),
    command_line: [...commandLine],
    versions: { ...packageVersions(), node: process.versions.node, library },
    engine,
    host: {
      name: os.hostname(),
      os: `${os.type()} ${os.release()}`,
      arch: os.arch(),
      cpu: os.cpus()[0]?.model ?? 'unknown',
      cores: os.availableParallelism(),
      memory_bytes: os.totalmem(),
    },
    devices: [...devices],
    seeds: [...seeds],
    dataset: { name: dataset.name, origin: dataset.origin, sha256: dataset.hash },
    init_sha256: { ...initHash },
    tags: [...tags],
    notes,
    resumed: [],
  };
}

/** The same run, gone on from `step` now and here. */
export const describeResumed = (record: RunRecord, step: number, now: Date): RunRecord => ({
  ...record,
  resumed: [...record.resumed, { time: now.toISOString(), step, host: os.hostname(), node: process.versions.node }],
});

export const encodeMetadata = (record: RunRecord): string => `${JSON.stringify(record, undefined, 2)}\n`;

/** Undefined where the text is no metadata: a run can go on without. */
export function decodeMetadata(text: string): RunRecord | undefined {
  try {
    return MetadataSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function packageVersions(): { trainer: string; tfjs: string } {
  const version = (text: string): string => z.object({ version: z.string() }).parse(JSON.parse(text)).version;
  const tfjs = createRequire(import.meta.url).resolve('@tensorflow/tfjs-core/package.json');
  return {
    trainer: version(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')),
    tfjs: version(readFileSync(tfjs, 'utf8')),
  };
}
