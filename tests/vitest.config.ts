// One runner for every package. `unit`: beside the code they test. `product`: what crosses packages. `long`: minutes each,
// run by `npm run test:long`.
import { configDefaults, defineConfig } from 'vitest/config';

const repository = new URL('..', import.meta.url).pathname;
const LONG = 'tests/long/**/*.test.ts';
const PATIENCE = { testTimeout: 300_000, hookTimeout: 300_000 };

export default defineConfig({
  root: repository,
  test: {
    // Native libraries and tfjs' global engine: a process for each file.
    pool: 'forks',
    maxWorkers: 2,
    // For hangs alone: machines that are busy or slow are no failure.
    testTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: { name: 'unit', root: repository, include: ['{protocol,trainer}/src/**/*.test.ts', 'infra/**/*.test.ts'] },
      },
      {
        extends: true,
        test: {
          name: 'product',
          root: repository,
          include: ['tests/**/*.test.ts'],
          exclude: [...configDefaults.exclude, LONG],
          ...PATIENCE,
        },
      },
      {
        extends: true,
        test: { name: 'long', root: repository, include: [LONG], ...PATIENCE },
      },
    ],
  },
});
