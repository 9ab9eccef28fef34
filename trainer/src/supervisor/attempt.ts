// One coordinator, from its start to its end: what it says is handed on, what it asks is answered, its silence is noticed.
import type { Control, ControlReply, FileRequest, Start, ToCoordinator, ToSupervisor } from '@trainer/protocol';
import type { Channel } from '../link/channel.js';
import { answerRequests, type ReplyMessage, type RequestMessage, Requests } from '../link/requests.js';
import type { Clock } from '../time.js';
import type { Coordinator } from './contract.js';

export interface AttemptOptions {
  readonly coordinator: Coordinator;
  readonly clock: Clock;
  readonly start: Start;
  readonly onMessage: (message: ToSupervisor) => void;
  readonly answer: (request: FileRequest) => Promise<{ readonly path: string } | null>;
  readonly onControl: (id: string, reply: ControlReply) => void;
}

export type Outcome =
  | { readonly type: 'done' }
  /** With an exit code: for the user to mend. */
  | { readonly type: 'failed'; readonly message: string; readonly exitCode: number | null; readonly stack?: string | null };

/** A coordinator whose main thread says nothing for so long is stuck: it does nothing there that takes this long. */
const SILENCE_MS = 30_000;
/** How long a coordinator that is done may take to end. */
const END_MS = 5000;
/** How long one may take that broke the connection, so that what it ended by is known. */
const BROKEN_MS = 500;
/** A control takes effect between two steps, however long those are; where the coordinator fails it is asked again. */
const CONTROL_DEADLINE_MS = 2 ** 31 - 1;

export class Attempt {
  readonly #options: AttemptOptions;
  readonly #controls: Requests<Control, ControlReply>;
  /** Under way: the disk works on for a coordinator that has ended. */
  readonly #answers = new Set<Promise<unknown>>();
  #said: Outcome | undefined;
  #cancelSilence = (): void => {};
  #silent = false;

  constructor(options: AttemptOptions) {
    this.#options = options;
    const { channel } = options.coordinator;
    // The channel carries more than either kind of request.
    this.#controls = new Requests(
      channel as unknown as Channel<RequestMessage<Control>, ReplyMessage<ControlReply>>,
      options.clock,
    );
    answerRequests(
      channel as unknown as Channel<ReplyMessage<{ readonly path: string } | null>, RequestMessage<FileRequest>>,
      (request) => {
        const answer = options.answer(request);
        this.#answers.add(answer);
        return answer.finally(() => this.#answers.delete(answer));
      },
    );
    channel.onMessage((message) => this.#hear(message));
  }

  /** Asks for a control; told by `onControl` when it took effect. */
  control(control: Control): void {
    this.#controls.call(control, { deadlineMs: CONTROL_DEADLINE_MS }).then(
      (reply) => this.#options.onControl(control.control, reply),
      // The coordinator failed; the next one is asked again.
      () => undefined,
    );
  }

  kill(): void {
    this.#options.coordinator.kill();
  }

  /** Resolves once the coordinator has ended, whatever it ended by, and nothing that it asked for is under way. */
  async outcome(): Promise<Outcome> {
    const { coordinator, clock, start } = this.#options;
    this.#listen();
    coordinator.channel.send({ type: 'start', start } satisfies ToCoordinator).catch(() => undefined);
    const reason = await coordinator.channel.closed;
    this.#cancelSilence();
    const cancel = clock.later(() => coordinator.kill(), this.#said ? END_MS : BROKEN_MS);
    const how = await coordinator.exited;
    cancel();
    await Promise.allSettled(this.#answers);
    if (this.#said) return this.#said;
    if (this.#silent) return failed(`the coordinator said nothing for ${SILENCE_MS / 1000} s`);
    const words = coordinator.lastWords();
    const last = words.length === 0 ? '' : `; its last words: ${words.slice(-3).join(' | ')}`;
    const broken = reason.by === 'error' ? ` (${reason.message})` : '';
    return failed(`the coordinator ${how}${broken}${last}`);
  }

  #hear(message: ToSupervisor): void {
    this.#listen();
    if (message.type === 'done') this.#said = message;
    if (message.type === 'failed') {
      this.#said ??= message;
      // Threads that are stuck would keep it from ending by itself.
      this.#options.coordinator.kill();
    }
    this.#options.onMessage(message);
  }

  #listen(): void {
    this.#cancelSilence();
    this.#cancelSilence = this.#options.clock.later(() => {
      this.#silent = true;
      this.kill();
    }, SILENCE_MS);
  }
}

const failed = (message: string): Outcome => ({ type: 'failed', message, exitCode: null });
