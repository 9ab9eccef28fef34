// Names of runs: the default one, and what a chosen one may look like.
import type { RunConfig } from '@trainer/protocol';
import { usageError } from '../errors.js';

const MAX_LENGTH = 100;

/** When it starts, what trains, on what: `2026-11-24-2154-resnet20-shapes10`. `now` is written in local time. */
export function defaultRunName(config: RunConfig, dataset: string, now: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  const side = config.model.includes('resnet') ? 'resnet' : 'plain';
  const data = dataset.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  return `${day}-${two(now.getHours())}${two(now.getMinutes())}-${side}${config.depth}-${data}`
    .slice(0, MAX_LENGTH - 10)
    .replace(/-+$/, '');
}

/** @throws TrainerError (usage) for a name that cannot be a folder's on every system, or that `--resume` reads otherwise. */
export function checkRunName(name: string): void {
  if (name === 'last')
    throw usageError('a run cannot be named "last", which --resume understands as the newest run; choose another --name');
  if (name.length > MAX_LENGTH || !/^[\p{L}\p{N}_][\p{L}\p{N}_.+=@ -]*$/u.test(name) || /[. ]$/.test(name))
    throw usageError(
      `${JSON.stringify(name.slice(0, MAX_LENGTH))} cannot be a run's name: use up to ${MAX_LENGTH} letters, digits and "_-.+=@ ", a letter, digit or "_" first`,
    );
}
