// Where things are kept between runs, outside any checkout.
import { homedir } from 'node:os';
import { join } from 'node:path';

/** `$TRAINER_CACHE_DIR`, else `$XDG_CACHE_HOME/trainer`, else `~/.cache/trainer`: libraries, downloads, packed images. */
export function cacheDir(env: NodeJS.ProcessEnv = process.env): string {
  const root = env['TRAINER_CACHE_DIR'];
  if (root) return root;
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'trainer');
}
