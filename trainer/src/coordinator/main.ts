// The coordinator process: started by the supervisor, to whom it speaks over descriptor 3, and with whom it ends.
import { Socket } from 'node:net';
import { type ToCoordinator, ToCoordinatorSchema, type ToSupervisor } from '@trainer/protocol';
import { EXIT } from '../errors.js';
import type { Channel } from '../link/channel.js';
import { socketChannel } from '../link/socket.js';
import { awake, systemClock } from '../time.js';

const ALIVE_EVERY_MS = 50;

// Ctrl-C reaches all processes of a terminal; what it means is decided by the supervisor.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGUSR2', 'SIGHUP'] as const) process.on(signal, () => undefined);

const channel: Channel<ToSupervisor, ToCoordinator> = socketChannel({
  stream: new Socket({ fd: 3 }),
  parse: (value) => ToCoordinatorSchema.parse(value),
});
// Without a supervisor nobody would stop it; and no thread that is stuck in native code may keep it from ending.
void channel.closed.then(({ by }) => (by === 'us' ? process.exit(EXIT.ok) : process.kill(process.pid, 'SIGKILL')));
// What is loaded takes its time, and nothing is heard meanwhile; that the supervisor is gone shows when it is spoken to.
const alive = setInterval(() => channel.send({ type: 'alive' }).catch(() => undefined), ALIVE_EVERY_MS);
const [{ serve }, { THIS_MACHINE }] = await Promise.all([import('./serve.js'), import('./surroundings.js')]);
clearInterval(alive);
serve({ channel, clock: awake(systemClock), env: process.env, surroundings: THIS_MACHINE });
