// Written so that an old Node reads it far enough to say that it is too old.
const OLDEST = [20, 19];

/** Whether this Node is too old; says so in one line, with the exit code for a machine that lacks something. */
export function refuseOldNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return false;
  process.stderr.write(
    `error: Node.js ${OLDEST.join('.')} or later is needed, this is ${process.versions.node}: install a current one (https://nodejs.org), then repeat\n`,
  );
  process.exitCode = 3;
  return true;
}
