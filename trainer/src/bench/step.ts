// `trainer bench step`: images per second of the training step, as text or JSON.
import type { BenchStepOptions } from '../cli/contract.js';
import type { Io } from '../cli/io.js';
import { EXIT, type ExitCode } from '../errors.js';
import { type BenchStepResult, measureStep } from './measure.js';

/** Measures and prints. Data go to stdout, notices to stderr. */
export async function benchStep(options: BenchStepOptions, io: Io): Promise<ExitCode> {
  const onNotice = (line: string): void => {
    io.stderr.write(`${line}\n`);
  };
  if (!options.quiet && !options.json)
    onNotice(`timing ${options.steps} steps of ${options.batchSize} images, after warm-up: the engine loads first`);
  const result = await measureStep({ ...options, onNotice });
  io.stdout.write(options.json ? `${JSON.stringify(result, null, 2)}\n` : asText(result));
  return EXIT.ok;
}

const asText = (r: BenchStepResult): string =>
  [
    `${r.model}, ${r.precision}, batch ${r.batch_size}: ${r.images_per_sec_median} img/s (best ${r.images_per_sec_best}), ${r.step_ms_median} ms a step`,
    `${r.library} on ${r.device}; median of ${r.steps} steps, warm-up ${(r.warmup_ms / 1e3).toFixed(1)} s, ${r.peak_rss_mb} MB at most`,
    '',
  ].join('\n');
