// `trainer doctor`: looks at everything that training needs and says how to mend what is missing.
import { EXIT, type ExitCode } from '../errors.js';
import { describeCpu, findGpus } from '../runtime/devices.js';
import { findLibrary, type LibraryLocation, pickVariant } from '../runtime/library.js';
import { cacheDir } from '../runtime/paths.js';
import { findPip } from '../runtime/pip.js';
import { type Probe, probeLibrary } from '../runtime/probe.js';
import type { DoctorOptions } from './contract.js';
import {
  type Check,
  cacheMegabytes,
  checkCpu,
  checkDataset,
  checkDevices,
  checkDisk,
  checkLibrary,
  checkNode,
  checkPip,
  checkPort,
  checkRunDisk,
  type Findings,
  type Status,
} from './doctor-checks.js';
import type { Io } from './io.js';
import { createStyle, type Style } from './style.js';

const LABEL_WIDTH = 'warning'.length;

/** Prints the checks; exit code 3 where something needed is missing. */
export async function runDoctor(options: DoctorOptions, io: Io): Promise<ExitCode> {
  const findings = await look(io.env);
  const checks = [
    checkNode(findings),
    checkPip(findings),
    checkLibrary(findings),
    checkDevices(findings),
    checkCpu(findings),
    await checkDisk('cache_disk', 'disk for caches', cacheDir(io.env), cacheMegabytes(findings)),
    await checkRunDisk(io.cwd),
    await checkDataset(cacheDir(io.env)),
    await checkPort(),
  ];
  const style = createStyle(io.stdout, io.env, options.color);
  io.stdout.write(options.json ? asJson(checks, findings) : asText(checks, style, options.quiet));
  return checks.some((c) => c.status === 'missing') ? EXIT.environment : EXIT.ok;
}

async function look(env: NodeJS.ProcessEnv): Promise<Findings> {
  const [pip, variant, gpus, cpu] = await Promise.all([findPip(env), pickVariant({ env }), findGpus(env), describeCpu()]);
  let library: LibraryLocation | undefined;
  let probe: Probe | Error | undefined;
  try {
    library = await findLibrary({ env, variant });
    probe = library && (await probeLibrary(library.folder, env));
  } catch (error) {
    probe = error as Error;
    library ??= { folder: env['TENSORFLOW_LIB'] ?? '', variant: 'given', version: 'unknown' };
  }
  return { nodeVersion: process.versions.node, pip, variant, library, probe, gpus, cpu };
}

function asText(checks: readonly Check[], { paint }: Style, quiet: boolean): string {
  const width = Math.max(...checks.map((c) => c.title.length));
  const indent = ' '.repeat(LABEL_WIDTH + width + 3);
  const color: Readonly<Record<Status, (text: string) => string>> = { ok: paint.dim, warning: paint.yellow, missing: paint.red };
  const labelOf = (status: Status): string => color[status](status.padEnd(LABEL_WIDTH));
  const lines = checks
    .filter((c) => !quiet || c.status !== 'ok')
    .flatMap(({ title, status, found, wanted, mend }) => [
      `${labelOf(status)} ${title.padEnd(width)}  ${found}`,
      ...(status === 'ok' ? [] : [`${indent}wanted: ${wanted}`]),
      ...(mend ? [`${indent}${mend}`] : []),
    ]);
  const missing = checks.filter((c) => c.status === 'missing').length;
  const verdict = missing === 0 ? 'ready to train' : `${missing} ${missing === 1 ? 'thing is' : 'things are'} missing`;
  return `${[...lines, ...(quiet ? [] : [verdict])].map((line) => `${line}\n`).join('')}`;
}

function asJson(checks: readonly Check[], { gpus, cpu, library, probe }: Findings): string {
  const document = {
    ok: checks.every((c) => c.status !== 'missing'),
    checks: checks.map(({ id, title, status, found, wanted, mend }) => ({
      id,
      title,
      status,
      found,
      wanted,
      how_to_mend: mend ?? null,
    })),
    library: library
      ? { folder: library.folder, variant: library.variant, version: probe && !(probe instanceof Error) ? probe.version : null }
      : null,
    gpus: gpus.map(({ index, name, memoryMegabytes, driver }) => ({ index, name, memory_megabytes: memoryMegabytes, driver })),
    cpu: { model: cpu.model, cores: cpu.cores, memory_megabytes: cpu.memoryMegabytes, features: cpu.features },
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
