// Every command's function, loaded when it runs: help and mistakes are answered without TensorFlow.js.
import { type ExitCode, usageError } from '../errors.js';
import type { CommandName } from '../settings/options.js';
import { DEFAULTS } from '../settings/presets.js';
import type { BenchAllReduceOptions, BenchScalingOptions, BenchStepOptions, DoctorOptions, SetupOptions } from './contract.js';
import type { Io } from './io.js';
import { type RawFlags, resolveCommand, resolveStart } from './resolve.js';
import { VERSION } from './version.js';

/** @param words what stood on the command line besides flags */
type Handler = (flags: RawFlags, io: Io, words: readonly string[]) => Promise<ExitCode>;

export const HANDLERS: Readonly<Record<CommandName, Handler>> = {
  start: async (flags, io) => {
    const options = await resolveStart(flags, io);
    if (options.run.resume === null) {
      const { refuseContradictions } = await import('../settings/complete.js');
      refuseContradictions(options);
    }
    // Before the engine's modules are read, which takes longer than a person likes to look at nothing.
    if (!options.output.quiet && !options.run.printConfig)
      io.stderr.write(`trainer ${VERSION}: loading the engine and the images\n`);
    const { runStart } = await import('./start.js');
    return runStart(options, io);
  },
  setup: async (flags, io) => {
    const options = valuesOf<SetupOptions>('setup', flags, io);
    const { runSetup } = await import('./setup.js');
    return runSetup(options, io);
  },
  doctor: async (flags, io) => {
    const options = valuesOf<DoctorOptions>('doctor', flags, io);
    const { runDoctor } = await import('./doctor.js');
    return runDoctor(options, io);
  },
  'bench step': async (flags, io) => {
    const { precision, engine } = DEFAULTS;
    const asked = valuesOf<BenchStepOptions>('bench step', flags, io);
    const { benchStep } = await import('../bench/step.js');
    return benchStep({ ...{ depth: 20, batchSize: 128, precision, engine }, ...asked }, io);
  },
  'bench allreduce': async (flags, io) => {
    const { ranks: text, ...asked } = valuesOf<Omit<BenchAllReduceOptions, 'ranks'> & CountsText>('bench allreduce', flags, io);
    const [ranks, ...others] = countsOf(text);
    if (others.length > 0) throw usageError(`--ranks ${text}: one number at a time, "--ranks ${ranks}"`);
    const { benchAllReduce } = await import('../bench/allreduce.js');
    return benchAllReduce({ ...{ wire: DEFAULTS.wire }, ...asked, ranks: ranks! }, io);
  },
  'bench scaling': async (flags, io) => {
    const { precision, wire } = DEFAULTS;
    const asked = valuesOf<Omit<BenchScalingOptions, 'ranks'> & CountsText>('bench scaling', flags, io);
    const { benchScaling } = await import('../bench/scaling.js');
    return benchScaling({ ...{ depth: 20, batchSize: 128, precision, wire }, ...asked, ranks: countsOf(asked.ranks) }, io);
  },
  completion: async (_flags, io, [shell]) => {
    const { completionScript } = await import('./completion.js');
    io.stdout.write(completionScript(shell));
    return 0;
  },
};

/** The table's types are those of the command's options; a test holds them to it. */
const valuesOf = <T>(command: CommandName, flags: RawFlags, io: Io): T =>
  resolveCommand(command, flags, io.env).values as unknown as T;

interface CountsText {
  readonly ranks: string;
}

const countsOf = (text: string): number[] => text.split(',').map(Number);
