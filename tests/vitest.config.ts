// One runner for every package. `unit`: beside the code they test. `product`: what crosses packages.
import { defineConfig } from 'vitest/config';

const repository = new URL('..', import.meta.url).pathname;

export default defineConfig({
  root: repository,
  test: {
    // Native libraries and tfjs' global engine: a process for each file.
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: { name: 'unit', root: repository, include: ['{protocol,trainer}/src/**/*.test.ts', 'infra/**/*.test.ts'] },
      },
      {
        extends: true,
        test: { name: 'product', root: repository, include: ['tests/**/*.test.ts'], testTimeout: 300_000, hookTimeout: 300_000 },
      },
    ],
  },
});
