// Requests that are answered, over a channel that may carry other messages too.
import { type ExitCode, TrainerError } from '../errors.js';
import type { Clock } from '../time.js';
import { type Channel, ChannelClosed } from './channel.js';

/** `id` is unique among the requests of one end of a channel. */
export interface RequestMessage<Request> {
  readonly type: 'request';
  readonly id: number;
  readonly body: Request;
}

/** Why a request failed at the other end; with an exit code where that was a TrainerError. */
export interface RemoteError {
  readonly message: string;
  readonly exitCode?: ExitCode | undefined;
}

export type ReplyMessage<Reply> =
  | { readonly type: 'reply'; readonly id: number; readonly body: Reply }
  | { readonly type: 'failure'; readonly id: number; readonly error: RemoteError };

/** Any message that is no reply. */
type Other = { readonly type: string };

export type RequestFault = 'late' | 'closed' | 'failed';

/** A request without a good reply: `late` after its deadline, `closed` with the channel, `failed` where the other end says so. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  constructor(
    readonly fault: RequestFault,
    message: string,
  ) {
    super(message);
  }
}

export interface CallOptions {
  /** Milliseconds from now. */
  readonly deadlineMs: number;
}

interface Pending<Reply> {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The asking end of a channel.
 *
 * @example
 * const requests = new Requests<{ pause: boolean }, { step: number }>(channel, clock);
 * const { step } = await requests.call({ pause: true }, { deadlineMs: 5000 });
 */
export class Requests<Request, Reply> {
  readonly #channel: Channel<RequestMessage<Request>, ReplyMessage<Reply> | Other>;
  readonly #clock: Clock;
  readonly #pending = new Map<number, Pending<Reply>>();
  #lastId = 0;

  constructor(channel: Channel<RequestMessage<Request>, ReplyMessage<Reply> | Other>, clock: Clock) {
    this.#channel = channel;
    this.#clock = clock;
    channel.onMessage((message) => {
      if (isReply<Reply>(message)) this.#answered(message);
    });
    void channel.closed.then(({ message }) => {
      for (const { reject } of this.#pending.values()) reject(new RequestError('closed', message));
    });
  }

  /** Requests that wait for their replies. */
  get pending(): number {
    return this.#pending.size;
  }

  /**
   * Late and repeated replies are let fall.
   * @throws RequestError; TrainerError where the other end failed with one; what `send` throws where the request is too long
   */
  async call(body: Request, { deadlineMs }: CallOptions): Promise<Reply> {
    const id = ++this.#lastId;
    let cancel = (): void => {};
    try {
      return await new Promise<Reply>((resolve, reject) => {
        this.#pending.set(id, { resolve, reject });
        cancel = this.#clock.later(
          () => reject(new RequestError('late', `the other end did not answer within ${deadlineMs} ms`)),
          deadlineMs,
        );
        this.#channel
          .send({ type: 'request', id, body })
          .catch((error: Error) => reject(error instanceof ChannelClosed ? new RequestError('closed', error.message) : error));
      });
    } finally {
      cancel();
      this.#pending.delete(id);
    }
  }

  #answered(message: ReplyMessage<Reply>): void {
    const pending = this.#pending.get(message.id);
    if (!pending) return;
    if (message.type === 'reply') pending.resolve(message.body);
    else pending.reject(errorOf(message.error));
  }
}

/** The answering end: what `handle` returns or throws goes back. Where the channel closes first, nobody is told. */
export function answerRequests<Request, Reply>(
  channel: Channel<ReplyMessage<Reply>, RequestMessage<Request> | Other>,
  handle: (request: Request) => Promise<Reply> | Reply,
): void {
  const answer = async (id: number, body: Request): Promise<ReplyMessage<Reply>> => {
    try {
      return { type: 'reply', id, body: await handle(body) };
    } catch (error) {
      return { type: 'failure', id, error: remoteError(error) };
    }
  };
  channel.onMessage((message) => {
    if (!isRequest<Request>(message)) return;
    answer(message.id, message.body)
      .then((reply) => channel.send(reply))
      .catch((error) => channel.send({ type: 'failure', id: message.id, error: remoteError(error) }))
      // The asking end learns of a closed channel by itself.
      .catch(() => {});
  });
}

const isReply = <Reply>(message: ReplyMessage<Reply> | Other): message is ReplyMessage<Reply> =>
  message.type === 'reply' || message.type === 'failure';

const isRequest = <Request>(message: RequestMessage<Request> | Other): message is RequestMessage<Request> =>
  message.type === 'request';

const remoteError = (error: unknown): RemoteError =>
  error instanceof TrainerError
    ? { message: error.message, exitCode: error.exitCode }
    : { message: error instanceof Error ? error.message : String(error) };

const errorOf = ({ message, exitCode }: RemoteError): Error =>
  exitCode === undefined ? new RequestError('failed', message) : new TrainerError(message, exitCode);
