// npm packages: installed when they are missing or when package-lock.json has changed since.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { npm, REPOSITORY, run, SetupError, say, secondsSince } from './run.mjs';

const at = (path) => new URL(path, REPOSITORY);
const LOCK = at('package-lock.json');
/** Written by us when all is there: the hash of the lock file that it was installed from. */
const STAMP = at('node_modules/.trainer-packages');
/** Written by npm when it has finished. */
const NPM_STAMP = at('node_modules/.package-lock.json');
const POLL_MS = 200;
const CELLS = 24;

const lockHash = () => createHash('sha256').update(readFileSync(LOCK)).digest('hex');

/** @throws {SetupError} where npm fails; repeating goes on from there. */
export async function installPackages() {
  if (existsSync(STAMP) && existsSync(NPM_STAMP) && readFileSync(STAMP, 'utf8') === lockHash()) return;
  const began = performance.now();
  const isFirst = !existsSync(NPM_STAMP);
  const folders = packageFolders();
  say(
    isFirst
      ? `installing ${folders.length} npm packages (about 200 MB to download, 620 MB in node_modules; once, about a minute)`
      : 'npm packages have changed: installing what is new',
  );
  const lock = readFileSync(LOCK);
  const bar = progressBar(folders);
  const failure = await install(isFirst).finally(() => {
    bar.end();
    // A registry that lacks other platforms' packages would have npm drop them from the lock.
    if (!readFileSync(LOCK).equals(lock)) writeFileSync(LOCK, lock);
  });
  if (failure) {
    process.stderr.write(failure);
    throw new SetupError(
      'npm could not install the packages: check the network and the registry that npm is set up for, then repeat',
    );
  }
  writeFileSync(STAMP, lockHash());
  say(`npm packages installed in ${secondsSince(began)}`);
}

/**
 * `npm ci` where nothing (or half of it) is there; where something is, `npm install`, which takes only what is new, and which
 * also takes a lock that `npm ci` refuses because the registry lacks other platforms' packages.
 * @returns npm's complaint, or undefined
 */
async function install(isFirst) {
  const options = ['--no-audit', '--no-fund', '--ignore-scripts', '--include=dev', '--include=optional', '--loglevel=error'];
  if (isFirst && (await run(npm('ci', ...options))).code === 0) return undefined;
  // Without its stamp an interrupted installation is known as such.
  rmSync(NPM_STAMP, { force: true });
  const { code, output } = await run(npm('install', '--no-save', ...options));
  return code === 0 ? undefined : output;
}

/** Folders of the packages that every platform installs. */
const packageFolders = () =>
  Object.entries(JSON.parse(readFileSync(LOCK, 'utf8')).packages)
    .filter(([path, { link, optional }]) => path.includes('node_modules/') && !link && !optional)
    .map(([path]) => fileURLToPath(at(`${path}/package.json`)));

/** npm tells nothing while it works; the folders that it has filled do. */
function progressBar(files) {
  if (!process.stderr.isTTY || process.env.CI || process.env.TERM === 'dumb') return { end: () => undefined };
  const draw = () => {
    const done = files.filter((file) => existsSync(file)).length;
    const full = Math.round((done / files.length) * CELLS);
    process.stderr.write(`\r\x1b[K${'━'.repeat(full)}${'─'.repeat(CELLS - full)} ${done}/${files.length} packages`);
  };
  const timer = setInterval(draw, POLL_MS);
  return {
    end: () => {
      clearInterval(timer);
      process.stderr.write('\r\x1b[K');
    },
  };
}
