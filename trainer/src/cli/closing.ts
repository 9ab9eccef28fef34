// The last lines of a run: where it lies, how to read it, and a command that is worth trying next.
import type { RunConfig, RunSummary } from '@trainer/protocol';

export interface ClosingOptions {
  readonly config: RunConfig;
  readonly status: RunSummary['status'];
  /** The run's folder, or with several seeds the folder that holds theirs. */
  readonly path: string;
  readonly seeds: number;
  readonly env: NodeJS.ProcessEnv;
}

/** For stderr: they are advice, not data. */
export function closingLines({ config, status, path, seeds, env }: ClosingOptions): string[] {
  const short = config.preset === 'quick' && status === 'finished';
  return [
    ...(short ? ['short run: speed of learning, not final accuracy'] : []),
    `run:  ${path}`,
    `next: ${startCommand(env)} ${nextFlags({ config, status, path, seeds })}`,
  ];
}

/** What goes on with a run. */
export const resumeCommand = (path: string, env: NodeJS.ProcessEnv): string => `${startCommand(env)} --resume ${quoted(path)}`;

/** As the user came here: by `npm start`, whose arguments follow `--`, by `npx`, or by name. */
const startCommand = (env: NodeJS.ProcessEnv): string => {
  if (env['npm_lifecycle_event'] === 'start') return 'npm start --';
  return env['npm_command'] === 'exec' ? 'npx trainer start' : 'trainer start';
};

function nextFlags({ config, status, path, seeds }: Omit<ClosingOptions, 'env'>): string {
  const data = config.data === 'auto' ? '' : ` --data ${quoted(config.data)}`;
  switch (status) {
    case 'running':
    case 'interrupted':
    case 'failed':
      return `--resume ${quoted(path)}`;
    case 'diverged':
      return `--depth ${config.depth} --lr ${Number((config.lr / 10).toPrecision(2))}${data}`;
    case 'finished': {
      const deeper = DEEPER.find(({ arch, above }) => arch === config.arch && config.depth < above);
      if (deeper) return `--depth ${deeper.above}${data}`;
      return seeds === 1 ? `--depth ${config.depth} --seeds 3${data}` : `--preset he${data}`;
    }
  }
}

/** The gap grows with depth (He et al. 2015): these are the depths where it is next worth looking. */
const DEEPER = [
  { arch: 'imagenet', above: 34 },
  { arch: 'cifar', above: 56 },
  { arch: 'cifar', above: 110 },
] as const;

/** For a POSIX shell. */
const quoted = (word: string): string => (/^[\w./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
