// A traced step function as a TensorFlow function, called from a session's graph: what XLA needs, and what keeps several steps
// in one session.
import { type CApi, DTYPE, type Pointer } from '../runtime/capi.js';
import { type Attribute, attribute } from './attributes.js';
import type { Graph, Value } from './graph.js';
import type { Traced } from './trace.js';

/** Where a function is called: its arguments to feed, its results to fetch, and itself to run where nothing is fetched. */
export interface Call {
  readonly feeds: readonly Value[];
  readonly operation: Pointer;
}

export interface CallOptions {
  readonly name: string;
  readonly xla: boolean;
  /** The session's handle of each variable that the trace uses, in the trace's order. */
  readonly handles: readonly Value[];
}

/** Copies the trace into `main` as a function and appends a call of it. The trace's graph is not needed afterwards. */
export function appendCall(c: CApi, main: Graph, traced: Traced, { name, xla, handles }: CallOptions): Call {
  defineFunction(c, main, traced, { name, xla });
  const feeds = traced.inputs.map((input) => main.placeholder(input.dtype, input.shape));
  const attributes: Attribute[] = [
    attribute('f', 'func', name),
    attribute('Tin', 'type', [...feeds.map((f) => f.dtype), ...handles.map(() => DTYPE.resource)]),
    attribute(
      'Tout',
      'type',
      traced.outputs.map((o) => o.value.dtype),
    ),
    attribute('config', 'string', ''),
    attribute('config_proto', 'string', ''),
    attribute('executor_type', 'string', ''),
  ];
  if (xla) attributes.push(attribute('_XlaMustCompile', 'bool', true));
  const args = [...feeds, ...handles].map((v) => v.out);
  return { feeds, operation: main.operation('StatefulPartitionedCall', args, attributes, { name: `call_${name}` }) };
}

/** AttrValue { b: true } as protobuf: field 5, varint 1. */
const TRUE_ATTR_VALUE = Uint8Array.of(0x28, 1);

function defineFunction(c: CApi, main: Graph, traced: Traced, { name, xla }: { name: string; xla: boolean }): void {
  const { graph } = traced;
  // An assignment has no data output: it lives on only as a control output of the function.
  const assigns = traced.assigned.map(({ variable, value }) =>
    graph.operation('AssignVariableOp', [variable.handle.out, value.out], [attribute('dtype', 'type', value.dtype)], {
      control: [variable.read.out.oper],
    }),
  );
  const args = [...traced.inputs, ...traced.variables.map((v) => v.handle)].map((v) => v.out);
  const outs = traced.outputs.map((o) => o.value.out);
  const labels = assigns.map((_, i) => `assign_${i}`);
  const definition = c.check(`function ${name}`, (status) =>
    c.TF_GraphToFunctionWithControlOutputs(
      graph.handle,
      name,
      0,
      -1,
      null,
      args.length,
      args,
      outs.length,
      outs,
      null,
      assigns.length,
      assigns,
      labels,
      null,
      null,
      status,
    ),
  ) as Pointer;
  try {
    if (xla)
      c.check('XLA attribute', (s) =>
        c.TF_FunctionSetAttrValueProto(definition, '_XlaMustCompile', TRUE_ATTR_VALUE, TRUE_ATTR_VALUE.length, s),
      );
    c.check(`function ${name}`, (s) => c.TF_GraphCopyFunction(main.handle, definition, null, s));
  } finally {
    c.TF_DeleteFunction(definition);
  }
}
