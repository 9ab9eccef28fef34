// A run of a graph that pauses for the host: TensorFlow's partial runs, fed and fetched portion by portion. What the graph has
// computed stays where it is, on its device, from one portion to the next.
//
// A partial run cannot be given up: one that is left waiting holds its memory until the session ends, and one that fails ends the
// session with it (its ops share the session's own cancellation). So where the host fails, the run goes on to its end with whatever
// the pauses' memory holds, its results are dropped, and its variables are told to stay as they are.
import type { CApi, Pointer, TfOutput } from '../runtime/capi.js';
import { type NativeTensor, viewOf } from '../runtime/tensor.js';
import type { OnExchange } from './contract.js';

/** A placeholder, and the memory it is fed from: freed by the owner of the plan. */
interface Fed {
  readonly received: TfOutput;
  readonly memory: NativeTensor;
}

/** Where a run waits for the host: what it sends, and the placeholder of what it gets back, float32. The host works in `memory`. */
export interface Pause extends Fed {
  readonly sent: TfOutput;
}

export interface StagedPlan {
  readonly feeds: readonly TfOutput[];
  readonly fetches: readonly TfOutput[];
  readonly targets: readonly Pointer[];
  /** In the order in which the function makes them: none depends on a later one. */
  readonly pauses: readonly Pause[];
  readonly onExchange: OnExchange;
  /** A truth that comes last: whether variables are assigned. Absent where none are. */
  readonly commit?: Fed;
}

/** Frees the memory that the plan's runs are fed from. */
export function freePlan({ pauses, commit }: StagedPlan): void {
  for (const { memory } of pauses) memory.delete();
  commit?.memory.delete();
}

/** A session of TensorFlow, what to run in it, and on what. */
export interface StagedRun {
  readonly c: CApi;
  readonly session: Pointer;
  readonly plan: StagedPlan;
  readonly fed: readonly Pointer[];
  /** Named in messages. */
  readonly what: string;
  /** An op failed, and the session is of no more use. */
  readonly onEnd: (cause: Error) => void;
}

/** What one call into the graph brings and takes. */
interface Portion {
  readonly feeds: readonly TfOutput[];
  readonly fed: readonly Pointer[];
  readonly fetches: readonly TfOutput[];
}

/** Runs on this thread; one TF_Tensor per fetch, which the caller deletes. `onExchange` must not return a promise. */
export function runStaged(run: StagedRun): Pointer[] {
  const { c, what } = run;
  const handle: Pointer[] = [0n];
  c.check(what, (status) => c.TF_SessionPRunSetup(...setupArguments(run), handle, status));
  const talk = new Conversation(run);
  const call = (portion: Portion): Pointer[] => {
    const results = portion.fetches.map(() => 0n);
    try {
      c.check(what, (status) => c.TF_SessionPRun(...portionArguments(run, handle[0]!, portion, results), status));
    } catch (error) {
      run.onEnd(error as Error);
      throw error;
    }
    return results;
  };
  try {
    for (let i = 0; i < run.plan.pauses.length; i++) {
      const answer = talk.hear(call(talk.portion()));
      if (answer) throw promised(what, answer);
    }
    return call(talk.portion());
  } catch (error) {
    const rest = talk.rest();
    try {
      if (rest) for (const tensor of call(rest)) c.TF_DeleteTensor(tensor);
    } catch {
      // Should it fail, what the host said is still the cause.
    }
    throw error;
  } finally {
    c.TF_DeletePRunHandle(handle[0]);
  }
}

/** As `runStaged`, with TensorFlow's part on threads of libuv's pool, and the host's on this one. */
export async function runStagedAsync(run: StagedRun): Promise<Pointer[]> {
  const { c } = run;
  const handle: Pointer[] = [0n];
  await checkedAsync(run, (status, done) => c.TF_SessionPRunSetup.async(...setupArguments(run), handle, status, done));
  const talk = new Conversation(run);
  const call = async (portion: Portion): Promise<Pointer[]> => {
    const results = portion.fetches.map(() => 0n);
    const args = portionArguments(run, handle[0]!, portion, results);
    try {
      await checkedAsync(run, (status, done) => c.TF_SessionPRun.async(...args, status, done));
    } catch (error) {
      run.onEnd(error as Error);
      throw error;
    }
    return results;
  };
  try {
    for (let i = 0; i < run.plan.pauses.length; i++) await talk.hear(await call(talk.portion()));
    return await call(talk.portion());
  } catch (error) {
    const rest = talk.rest();
    // Should it fail, what the host said is still the cause.
    const dropped = rest ? await call(rest).catch(() => []) : [];
    for (const tensor of dropped) c.TF_DeleteTensor(tensor);
    throw error;
  } finally {
    c.TF_DeletePRunHandle(handle[0]);
  }
}

/** Which portion comes next, and what the host says in between. */
class Conversation {
  readonly #run: StagedRun;
  /** Calls into the graph that were begun; how many pauses the host has heard of. */
  #calls = 0;
  #heard = 0;

  constructor(run: StagedRun) {
    this.#run = run;
  }

  /** The next call: it brings the answer to the last pause and takes what is sent at the next, or at the end the results. */
  portion(): Portion {
    const { plan, fed } = this.#run;
    const next = plan.pauses[this.#calls];
    const last = plan.pauses[this.#calls - 1];
    this.#calls++;
    const given: Fed[] = last ? [last] : [];
    if (!next && plan.commit) {
      plan.commit.memory.bytes[0] = 1;
      given.push(plan.commit);
    }
    return {
      feeds: [...(last ? [] : plan.feeds), ...given.map((g) => g.received)],
      fed: [...(last ? [] : fed), ...given.map((g) => g.memory.pointer)],
      fetches: next ? [next.sent] : plan.fetches,
    };
  }

  /** Shows the host what was sent, and lets it answer. */
  hear([tensor]: readonly Pointer[]): void | Promise<void> {
    const { c, plan } = this.#run;
    const index = this.#heard++;
    const { bytes } = plan.pauses[index]!.memory;
    bytes.set(viewOf(c, tensor!));
    c.TF_DeleteTensor(tensor);
    return plan.onExchange(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4), index);
  }

  /** All that the run still waits for, where it was the host that failed; a call into the graph that fails is its end. */
  rest(): Portion | undefined {
    const { plan } = this.#run;
    if (this.#heard < this.#calls) return undefined;
    const open = plan.pauses.slice(this.#heard - 1);
    const given: Fed[] = [...open];
    if (plan.commit) {
      plan.commit.memory.bytes[0] = 0;
      given.push(plan.commit);
    }
    return {
      feeds: given.map((g) => g.received),
      fed: given.map((g) => g.memory.pointer),
      fetches: [...open.slice(1).map((pause) => pause.sent), ...plan.fetches],
    };
  }
}

function promised(what: string, answer: Promise<void>): Error {
  // Nobody waits for it any longer; this error says what is wrong.
  answer.catch(() => {});
  return new Error(`${what}: onExchange returned a promise, which only runAsync waits for`);
}

function setupArguments({ session, plan }: StagedRun) {
  const feeds = [...plan.feeds, ...[...plan.pauses, ...(plan.commit ? [plan.commit] : [])].map((p) => p.received)];
  const fetches = [...plan.pauses.map((p) => p.sent), ...plan.fetches];
  return [session, feeds, feeds.length, fetches, fetches.length, plan.targets, plan.targets.length] as const;
}

function portionArguments({ session }: StagedRun, handle: Pointer, { feeds, fed, fetches }: Portion, results: Pointer[]) {
  // The targets were named at the start; they are done when the last fetch is.
  return [session, handle, feeds, fed, feeds.length, fetches, results, fetches.length, [], 0] as const;
}

async function checkedAsync({ c, what }: StagedRun, call: (status: Pointer, done: (error: Error | null) => void) => void) {
  const status = c.TF_NewStatus() as Pointer;
  try {
    await new Promise<void>((resolve, reject) => call(status, (error) => (error ? reject(error) : resolve())));
    if (c.TF_GetCode(status) !== 0) throw new Error(`${what}: ${c.TF_Message(status)}`);
  } finally {
    c.TF_DeleteStatus(status);
  }
}
