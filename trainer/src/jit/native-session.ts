// A TF_Session over one growing graph: runs it, extends it, frees it. Nothing here knows of tfjs.
import type { CApi, Pointer, TfOutput } from '../runtime/capi.js';
import type { SessionOptions } from './contract.js';
import { Graph } from './graph.js';
import { sessionConfig } from './session-config.js';
import { runStaged, runStagedAsync, type StagedPlan, type StagedRun } from './staged-run.js';

/** What to feed, what to fetch, which operations to run besides. Kept by the caller from run to run. */
export interface RunPlan {
  readonly feeds: readonly TfOutput[];
  readonly fetches: readonly TfOutput[];
  readonly targets: readonly Pointer[];
}

export const isStaged = (plan: RunPlan | StagedPlan): plan is StagedPlan => 'pauses' in plan;

/** Owns a TF_Session and its graph. */
export class NativeSession {
  readonly graph: Graph;
  readonly #c: CApi;
  #handle: Pointer | undefined;
  #endedBy: Error | undefined;

  constructor(c: CApi, options: SessionOptions & { graph?: Graph }) {
    this.#c = c;
    this.graph = options.graph ?? new Graph(c, options.device);
    const config = sessionConfig(options);
    const sessionOptions = c.TF_NewSessionOptions() as Pointer;
    try {
      c.check('session options', (s) => c.TF_SetConfig(sessionOptions, config, config.length, s));
      this.#handle = c.check('session', (s) => c.TF_NewSession(this.graph.handle, sessionOptions, s)) as Pointer;
    } catch (error) {
      if (!options.graph) this.graph.delete();
      throw error;
    } finally {
      c.TF_DeleteSessionOptions(sessionOptions);
    }
  }

  get handle(): Pointer {
    if (this.#handle === undefined) throw new Error('this session is closed');
    return this.#handle;
  }

  /** Names of the devices that the session sees, such as `/job:localhost/replica:0/task:0/device:GPU:0`. */
  devices(): string[] {
    const c = this.#c;
    const list = c.check('devices', (s) => c.TF_SessionListDevices(this.handle, s)) as Pointer;
    try {
      return Array.from(
        { length: c.TF_DeviceListCount(list) },
        (_, i) => c.check('device', (s) => c.TF_DeviceListName(list, i, s)) as string,
      );
    } finally {
      c.TF_DeleteDeviceList(list);
    }
  }

  /** Runs and returns one TF_Tensor per fetch, which the caller deletes. */
  run(plan: RunPlan | StagedPlan, fed: readonly Pointer[], what: string): Pointer[] {
    this.#assertAlive(what);
    if (isStaged(plan)) return runStaged(this.#staged(plan, fed, what));
    const { results, args } = this.#arguments(plan, fed);
    this.#c.check(what, (status) => this.#c.TF_SessionRun(...args, status));
    return results;
  }

  /** As `run`, on a thread of libuv's pool. */
  async runAsync(plan: RunPlan | StagedPlan, fed: readonly Pointer[], what: string): Promise<Pointer[]> {
    this.#assertAlive(what);
    if (isStaged(plan)) return await runStagedAsync(this.#staged(plan, fed, what));
    const c = this.#c;
    const { results, args } = this.#arguments(plan, fed);
    const status = c.TF_NewStatus() as Pointer;
    return await new Promise((resolve, reject) => {
      c.TF_SessionRun.async(...args, status, (error: Error | null) => {
        const failed = c.TF_GetCode(status) !== 0 ? new Error(`${what}: ${c.TF_Message(status)}`) : undefined;
        c.TF_DeleteStatus(status);
        if (error ?? failed) reject(error ?? failed);
        else resolve(results);
      });
    });
  }

  /** Frees the session; its graph too unless it was given. */
  close(keepGraph = false): void {
    const c = this.#c;
    const handle = this.#handle;
    if (handle === undefined) return;
    this.#handle = undefined;
    try {
      c.check('close session', (s) => c.TF_CloseSession(handle, s));
    } finally {
      // Deleting frees the session whatever it reports.
      try {
        c.check('delete session', (s) => c.TF_DeleteSession(handle, s));
      } finally {
        if (!keepGraph) this.graph.delete();
      }
    }
  }

  #staged(plan: StagedPlan, fed: readonly Pointer[], what: string): StagedRun {
    const onEnd = (cause: Error): void => {
      this.#endedBy ??= cause;
    };
    return { c: this.#c, session: this.handle, plan, fed, what, onEnd };
  }

  /** Ops of a staged run share the session's own cancellation: one that fails cancels whatever is run later. */
  #assertAlive(what: string): void {
    if (this.#endedBy)
      throw new Error(`${what}: an op failed in a run that exchanges, which has ended the session: ${this.#endedBy.message}`, {
        cause: this.#endedBy,
      });
  }

  #arguments({ feeds, fetches, targets }: RunPlan, fed: readonly Pointer[]) {
    const results: Pointer[] = fetches.map(() => 0n);
    const args = [
      this.handle,
      null,
      feeds,
      fed,
      feeds.length,
      fetches,
      results,
      fetches.length,
      targets,
      targets.length,
      null,
    ] as const;
    return { results, args };
  }
}
