// The coordinator process: started by the supervisor, to whom it speaks over descriptor 3, and with whom it ends.
import { Socket } from 'node:net';
import { type ToCoordinator, ToCoordinatorSchema, type ToSupervisor } from '@trainer/protocol';
import { EXIT } from '../errors.js';
import type { Channel } from '../link/channel.js';
import { socketChannel } from '../link/socket.js';
import { systemClock } from '../time.js';
import { serve } from './serve.js';
import { THIS_MACHINE } from './surroundings.js';

// Ctrl-C reaches all processes of a terminal; what it means is decided by the supervisor.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGUSR2', 'SIGHUP'] as const) process.on(signal, () => undefined);

const channel: Channel<ToSupervisor, ToCoordinator> = socketChannel({
  stream: new Socket({ fd: 3 }),
  parse: (value) => ToCoordinatorSchema.parse(value),
});
// Without a supervisor nobody would stop it; and no thread that is stuck in native code may keep it from ending.
void channel.closed.then(({ by }) => (by === 'us' ? process.exit(EXIT.ok) : process.kill(process.pid, 'SIGKILL')));
serve({ channel, clock: systemClock, env: process.env, surroundings: THIS_MACHINE });
