// The run's files as the coordinator sees them: the supervisor owns them, and does what is asked over the channel.
import type { FileRequest, ToCoordinator, ToSupervisor } from '@trainer/protocol';
import type { Channel } from '../link/channel.js';
import { type ReplyMessage, type RequestMessage, Requests } from '../link/requests.js';
import type { Clock } from '../time.js';

/** Long enough for a slow disk; a supervisor that is gone closes the channel. */
const DEADLINE_MS = 10 * 60_000;

type Reply = { readonly path: string } | null;
type Of<W extends FileRequest['what']> = Omit<Extract<FileRequest, { what: W }>, 'what'>;

export class RunFiles {
  readonly #requests: Requests<FileRequest, Reply>;

  constructor(channel: Channel<ToSupervisor, ToCoordinator>, clock: Clock) {
    // The channel carries more than these requests.
    this.#requests = new Requests(channel as unknown as Channel<RequestMessage<FileRequest>, ReplyMessage<Reply>>, clock);
  }

  /** The new run's folder. @throws TrainerError (usage) for a name that is taken */
  async create(run: Of<'create'>): Promise<string> {
    return (await this.#call({ what: 'create', ...run }))!.path;
  }

  async reopen(run: Of<'reopen'>): Promise<string> {
    return (await this.#call({ what: 'reopen', ...run }))!.path;
  }

  /** Resolves once everything recorded so far is in the files. */
  async flush(): Promise<void> {
    await this.#call({ what: 'flush' });
  }

  /** Resolves once everything recorded so far is on the disk. */
  async sync(): Promise<void> {
    await this.#call({ what: 'sync' });
  }

  async summarize(summary: Of<'summarize'>['summary']): Promise<void> {
    await this.#call({ what: 'summarize', summary });
  }

  async finish(run: Of<'finish'>['run']): Promise<void> {
    await this.#call({ what: 'finish', run });
  }

  #call(request: FileRequest): Promise<Reply> {
    return this.#requests.call(request, { deadlineMs: DEADLINE_MS });
  }
}
