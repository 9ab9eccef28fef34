// Tells the supervisor how training goes. What need not be waited for is sent as it comes; the schedule waits now and then for
// the line to clear.
import type { ToCoordinator, ToSupervisor } from '@trainer/protocol';
import { type Channel, ChannelClosed } from '../link/channel.js';
import type { Teller } from './contract.js';

export function channelTeller(channel: Channel<ToSupervisor, ToCoordinator>): Teller {
  let clear: Promise<void> = Promise.resolve();
  let refused: Error | undefined;
  const send = (message: ToSupervisor): void => {
    clear = channel.send(message).catch((error: Error) => {
      // A closed channel ends the process; there is nobody left to tell.
      if (!(error instanceof ChannelClosed)) refused ??= error;
    });
  };
  return {
    notice: (line) => send({ type: 'notice', line }),
    onProgress: (progress) => send({ type: 'progress', progress }),
    onEvent: (event) => send({ type: 'event', event }),
    record: (records) => send({ type: 'metrics', records: [...records] }),
    rankLog: (rank, line) => send({ type: 'rank-log', rank, line }),
    models: (models) => send({ type: 'models', models: [...models] }),
    print: (text) => send({ type: 'print', text }),
    ready: async () => {
      await clear;
      if (refused) throw refused;
    },
  };
}
