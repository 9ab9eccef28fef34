// A traced step function copied into a session's graph op by op: a function's placeholders could not be fed in the middle of a run.
import { type CApi, DTYPE, type Pointer, type TfOutput } from '../runtime/capi.js';
import { NativeTensor } from '../runtime/tensor.js';
import { attribute } from './attributes.js';
import type { OnExchange } from './contract.js';
import type { Graph, Value } from './graph.js';
import type { StagedPlan } from './staged-run.js';
import type { Traced } from './trace.js';

export interface InlineOptions {
  /** Prefix of the ops' names; must be new to the graph. */
  readonly name: string;
  /** The session's handle of each variable that the trace uses, in the trace's order. */
  readonly handles: readonly Value[];
  readonly onExchange: OnExchange;
}

/** Copies the trace into `main`. The trace's graph is not needed afterwards; the caller frees the memory that the plan has. */
export function inline(c: CApi, main: Graph, traced: Traced, { name, handles, onExchange }: InlineOptions): StagedPlan {
  const { graph, assigned, exchanges } = traced;
  const commit = assigned.length > 0 ? graph.placeholder(DTYPE.bool, []) : undefined;
  const assigns = commit ? assigned.map((a) => appendAssign(graph, a, commit)) : [];
  // What is fed cannot be fetched, and nothing can be fetched twice: each result is an op of its own.
  const results = traced.outputs.map(({ value }) => graph.identity(value));
  importGraph(c, main, traced, { name, handles });
  const copyOf = (operation: Pointer): Pointer =>
    c.TF_GraphOperationByName(main.handle, `${name}/${c.TF_OperationName(operation)}`) as Pointer;
  const outOf = ({ out }: Value): TfOutput => ({ oper: copyOf(out.oper), index: out.index });
  const fed = (value: Value) => ({ received: outOf(value), memory: new NativeTensor(c, value.dtype, value.shape) });
  return {
    feeds: traced.inputs.map(outOf),
    fetches: results.map(outOf),
    targets: assigns.map(copyOf),
    pauses: exchanges.map(({ sent, received }) => ({ sent: outOf(sent), ...fed(received) })),
    onExchange,
    ...(commit && { commit: fed(commit) }),
  };
}

/** Assigns where `commit` turns out true, which is at the end: a run that the host fails leaves variables as they were. */
function appendAssign(graph: Graph, { variable, value }: Traced['assigned'][number], commit: Value): Pointer {
  const type = value.dtype;
  const either = graph.operation('Switch', [value.out, commit.out], [attribute('T', 'type', type)]);
  const ifTrue: TfOutput = { oper: either, index: 1 };
  return graph.operation('AssignVariableOp', [variable.handle.out, ifTrue], [attribute('dtype', 'type', type)], {
    control: [variable.read.out.oper],
  });
}

function importGraph(c: CApi, main: Graph, traced: Traced, { name, handles }: Omit<InlineOptions, 'onExchange'>): void {
  const definition = c.TF_NewBuffer() as Pointer;
  const options = c.TF_NewImportGraphDefOptions() as Pointer;
  try {
    c.check(`graph ${name}`, (s) => c.TF_GraphToGraphDef(traced.graph.handle, definition, s));
    c.TF_ImportGraphDefOptionsSetPrefix(options, name);
    if (main.device) c.TF_ImportGraphDefOptionsSetDefaultDevice(options, main.device);
    traced.variables.forEach(({ handle }, i) => {
      c.TF_ImportGraphDefOptionsAddInputMapping(options, c.TF_OperationName(handle.out.oper), 0, handles[i]!.out);
    });
    c.check(`graph ${name}`, (s) => c.TF_GraphImportGraphDef(main.handle, definition, options, s));
  } finally {
    c.TF_DeleteImportGraphDefOptions(options);
    c.TF_DeleteBuffer(definition);
  }
}
