// A process that saves a checkpoint or a commit and is killed at one of its file operations, as by `kill -9`.
// What a killed process wrote stays in the system's memory, so syncs are counted but not waited for.
// Arguments: the run folder, "checkpoints" or "commits", the step, the scale of its values, and the number of the operation to be
// killed at, counted from 0.
import { openCheckpoints, openCommits } from '../../trainer/dist/report/checkpoints.js';
import { unsyncedFileSystem } from '../../trainer/dist/report/faulty-file-system.js';
import { testCheckpoint } from '../../trainer/dist/report/test-checkpoint.js';

const [runPath, kind, step, scale, killAt] = process.argv.slice(2);
let calls = 0;

/** The operation is begun, so that the kill falls somewhere within or just after it. */
const counted =
  (operation) =>
  (...values) => {
    const result = operation(...values);
    if (calls++ === Number(killAt)) process.kill(process.pid, 'SIGKILL');
    return result;
  };
const wrapped = (object) => Object.fromEntries(Object.entries(object).map(([name, operation]) => [name, counted(operation)]));

const fileSystem = {
  ...wrapped(unsyncedFileSystem),
  open: counted(async (...values) => wrapped(await unsyncedFileSystem.open(...values))),
};
const writer =
  kind === 'commits' ? await openCommits({ runPath }, fileSystem) : await openCheckpoints({ runPath, keep: 2 }, fileSystem);
await writer.save(testCheckpoint(Number(step), Number(scale)), { best: false });
