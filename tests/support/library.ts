// Whether tests of the compiled engine can run here. They are skipped only where nobody could install the library: where it
// could be, and is not, they fail.
import { findLibrary, hasUsableLibc, pickVariant } from '../../trainer/src/runtime/library.js';
import { findPip } from '../../trainer/src/runtime/pip.js';
import { wheelSet } from '../../trainer/src/runtime/wheels.js';

/** Why this machine cannot have the library; undefined where it has it, or `trainer setup` would bring it. */
export const noLibrary: string | undefined = await whyNoLibrary();

async function whyNoLibrary(): Promise<string | undefined> {
  if (await findLibrary()) return undefined;
  if (!wheelSet(await pickVariant()) || !hasUsableLibc()) return 'TensorFlow has no library for this system';
  return (await findPip()) ? undefined : 'no Python 3 with pip was found to install it with';
}

if (noLibrary) process.stderr.write(`tests of the compiled engine are skipped: ${noLibrary}\n`);
