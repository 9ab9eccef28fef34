#!/usr/bin/env node
// The `trainer` command: hands over to the compiled sources.
import { existsSync } from 'node:fs';

const compiled = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(compiled)) {
  const { main } = await import(compiled.href);
  process.exitCode = await main(process.argv.slice(2));
} else {
  process.stderr.write('error: trainer is not built yet: run "npm start" or "npm run build" in the repository first\n');
  process.exitCode = 3;
}
