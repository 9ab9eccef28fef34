// `npm test [-- --long]`: brings what is missing, builds, checks the repository, runs the tests, and counts them.
import { refuseOldNode } from './node-version.mjs';

if (!refuseOldNode()) {
  import('./test-steps.mjs').then(async ({ test }) => {
    process.exitCode = await test(process.argv.slice(2));
  });
}
