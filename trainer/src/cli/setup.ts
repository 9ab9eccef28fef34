// `trainer setup`: brings TensorFlow's library to this machine, and sees that it loads.
import { EXIT, type ExitCode } from '../errors.js';
import { findGpus } from '../runtime/devices.js';
import { ensureLibrary, findLibrary } from '../runtime/library.js';
import { probeLibrary } from '../runtime/probe.js';
import type { SetupOptions } from './contract.js';
import { InstallBar } from './install-bar.js';
import type { Io } from './io.js';

/**
 * Installs the library where it is missing. Exit code 3 where there is none for this machine; training then has the
 * WebAssembly engine.
 * @throws TrainerError (exit code 3) where installing or loading fails.
 */
export async function runSetup(options: SetupOptions, io: Io): Promise<ExitCode> {
  const interruption = new AbortController();
  let asked: ExitCode = EXIT.interrupted;
  const stop = (signal: NodeJS.Signals): void => {
    if (signal === 'SIGTERM') asked = EXIT.terminated;
    interruption.abort();
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    return await install(options, io, interruption.signal);
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    io.stderr.write('set-up interrupted: repeat it to go on\n');
    return asked;
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

async function install({ variant, quiet, progress }: SetupOptions, io: Io, signal: AbortSignal): Promise<ExitCode> {
  const say = (line: string): void => {
    io.stderr.write(`${line}\n`);
  };
  const began = performance.now();
  const bar = new InstallBar(io, progress && !quiet);
  const wasThere = (await findLibrary({ variant, env: io.env })) !== undefined;
  const onNotice = (line: string): void => {
    bar.end();
    say(line);
  };
  const library = await ensureLibrary({
    variant,
    env: io.env,
    signal,
    onNotice,
    onProgress: (p) => !quiet && bar.update(p),
  }).finally(() => bar.end());
  if (!library) return EXIT.environment;
  const probe = await probeLibrary(library.folder, io.env);
  if (quiet) return EXIT.ok;
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  const how = wasThere ? 'is installed' : `installed in ${seconds} s`;
  say(`TensorFlow ${probe.version} (${library.variant}) ${how}: ${library.folder}, loads in ${probe.loadSeconds.toFixed(1)} s`);
  if (library.variant === 'cpu' && (await findGpus(io.env)).length > 0)
    say('this machine has GPUs: `trainer setup --variant gpu` uses them; TRAINER_VARIANT=cpu keeps to this library');
  return EXIT.ok;
}
