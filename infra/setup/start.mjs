// `npm start [-- ARGUMENTS]`: brings what is missing, builds what has changed, then runs `trainer start ARGUMENTS`.
import { refuseOldNode } from './node-version.mjs';

if (!refuseOldNode()) {
  import('./start-steps.mjs').then(async ({ start }) => {
    process.exitCode = await start(process.argv.slice(2));
  });
}
