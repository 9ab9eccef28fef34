// For tests: a `python3` whose pip hands out prepared wheels, and a machine's environment that has only it.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zipSync } from 'fflate';

/** Answers `-m pip --version`; for `download` runs `$BEFORE`, then copies what the requirement names out of the folder of wheels. */
const SCRIPT = `#!/bin/sh
case "$*" in *--version*) echo "pip 24.0 from /somewhere/pip (python 3.11)"; exit 0;; esac
while [ $# -gt 0 ]; do
  case "$1" in --dest) dest="$2";; -r) requirements="$2";; esac
  shift
done
read -r wanted rest < "$requirements"
echo "$wanted" >> "$FAKE/log"
. "$FAKE/before"
/bin/cp "$FAKE/$wanted"/* "$dest/"
`;

export class FakePython {
  readonly folder = mkdtempSync(join(tmpdir(), 'fake-python-'));
  readonly cache = join(this.folder, 'cache');
  readonly env: NodeJS.ProcessEnv;

  constructor() {
    const bin = join(this.folder, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'python3'), SCRIPT);
    chmodSync(join(bin, 'python3'), 0o755);
    this.before(':');
    this.env = { PATH: bin, FAKE: this.folder, TRAINER_CACHE_DIR: this.cache };
  }

  /** Shell commands that pip runs before it delivers; `$wanted` is the requirement. */
  before(commands: string): void {
    writeFileSync(join(this.folder, 'before'), `${commands}\n`);
  }

  /** Makes pip deliver a wheel with these files for a requirement; returns its bytes. */
  wheel(requirement: string, files: Readonly<Record<string, string>>): Uint8Array {
    const folder = join(this.folder, requirement);
    mkdirSync(folder, { recursive: true });
    const entries = Object.entries(files).map(([name, text]) => [name, new TextEncoder().encode(text)] as const);
    const bytes = zipSync(Object.fromEntries(entries));
    const [project, version] = requirement.split('==');
    writeFileSync(join(folder, `${project!.replaceAll('-', '_')}-${version}-py3-none-any.whl`), bytes);
    return bytes;
  }

  /** Requirements that pip was asked to download, in order. */
  get downloads(): string[] {
    const log = join(this.folder, 'log');
    return existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
  }
}
