// A process that saves a checkpoint and is killed at one of its file operations, as by `kill -9`.
// What a killed process wrote stays in the system's memory, so syncs are counted but not waited for.
// Arguments: the checkpoints folder, the step to save, and the number of the operation, counted from 0.
import { CheckpointStore } from '../../trainer/dist/report/checkpoint-store.js';
import { unsyncedFileSystem } from '../../trainer/dist/report/faulty-file-system.js';
import { testCheckpoint } from '../../trainer/dist/report/test-checkpoint.js';

const [folder, step, killAt] = process.argv.slice(2);
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
const store = await CheckpointStore.open({ fileSystem, folder, keep: 2 });
await store.save(testCheckpoint(Number(step)), { best: false });
