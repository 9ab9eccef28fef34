// The C API with a tally of native objects: made and not yet freed, by kind.
import type { CApi, Pointer } from '../../trainer/src/runtime/capi.js';

/** What makes an object, what frees it, and what kind it is. */
const OWNED = [
  ['TF_NewStatus', 'TF_DeleteStatus', 'status'],
  ['TF_NewGraph', 'TF_DeleteGraph', 'graph'],
  ['TF_NewSessionOptions', 'TF_DeleteSessionOptions', 'session options'],
  ['TF_NewSession', 'TF_DeleteSession', 'session'],
  ['TF_SessionListDevices', 'TF_DeleteDeviceList', 'device list'],
  ['TF_GraphToFunctionWithControlOutputs', 'TF_DeleteFunction', 'function'],
  ['TF_NewOperation', 'TF_FinishOperation', 'unfinished operation'],
  ['TF_AllocateTensor', 'TF_DeleteTensor', 'tensor'],
  ['TF_NewBuffer', 'TF_DeleteBuffer', 'buffer'],
  ['TF_NewImportGraphDefOptions', 'TF_DeleteImportGraphDefOptions', 'import options'],
] as const;
/** Of a run as well as of a partial one. */
const RESULTS_ARGUMENT = 6;
const HANDLE_ARGUMENT = 7;

type Call = ((...args: unknown[]) => unknown) & { async?: (...args: unknown[]) => void };

export interface CountingApi {
  readonly c: CApi;
  /** Kinds of which some are alive, and how many. */
  alive(): Record<string, number>;
  /** How many of a kind were ever made. */
  made(kind: (typeof OWNED)[number][2]): number;
}

export function countingApi(c: CApi): CountingApi {
  const alive = new Map<string, number>();
  const made = new Map<string, number>();
  const add = (kind: string, n: number): void => {
    alive.set(kind, (alive.get(kind) ?? 0) + n);
    if (n > 0) made.set(kind, (made.get(kind) ?? 0) + n);
  };
  const counted: Record<string, unknown> = { ...c };
  const wrap = (name: keyof CApi, then: (args: unknown[], result: unknown) => void): void => {
    const original = c[name] as Call;
    const call: Call = (...args) => {
      const result = original(...args);
      then(args, result);
      return result;
    };
    call.async = (...args) => {
      const callback = args.pop() as (...results: unknown[]) => void;
      original.async!(...args, (...results: unknown[]) => {
        then(args, results[1]);
        callback(...results);
      });
    };
    counted[name] = call;
  };
  for (const [make, free, kind] of OWNED) {
    wrap(make, (_, result) => result && add(kind, 1));
    wrap(free, () => add(kind, -1));
  }
  const countPointers = (kind: string, position: number) => (args: unknown[]) =>
    add(kind, (args[position] as Pointer[]).filter((p) => p).length);
  wrap('TF_SessionRun', countPointers('tensor', RESULTS_ARGUMENT));
  wrap('TF_SessionPRun', countPointers('tensor', RESULTS_ARGUMENT));
  wrap('TF_SessionPRunSetup', countPointers('handle of a partial run', HANDLE_ARGUMENT));
  wrap('TF_DeletePRunHandle', () => add('handle of a partial run', -1));
  return {
    c: counted as unknown as CApi,
    alive: () => Object.fromEntries([...alive].filter(([, n]) => n !== 0)),
    made: (kind) => made.get(kind) ?? 0,
  };
}
