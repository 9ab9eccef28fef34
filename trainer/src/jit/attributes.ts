// Op attributes as TensorFlow.js' kernels pass them, and their way into a graph operation.
import { type CApi, int64s, type Pointer } from '../runtime/capi.js';

/** The kinds of attribute, numbered as TensorFlow's TF_AttrType; two kinds of our own take whole objects. */
export const KIND = { string: 0, int: 1, float: 2, bool: 3, type: 4, shape: 5, tensor: 100, func: 101 } as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

export interface Attribute {
  readonly name: string;
  readonly type: Kind;
  readonly value: unknown;
}

export const attribute = (name: string, kind: keyof typeof KIND, value: unknown): Attribute => ({
  name,
  type: KIND[kind],
  value,
});

/** Sets one attribute on an unfinished operation. List-valued ones are told by the value being an array. */
export function setAttribute(c: CApi, operation: Pointer, { name, type, value }: Attribute): void {
  const list = Array.isArray(value) ? (value as number[]) : undefined;
  switch (type) {
    case KIND.string: {
      const bytes = Buffer.from(value as string);
      return c.TF_SetAttrString(operation, name, bytes, bytes.length);
    }
    case KIND.int:
      if (list) return c.TF_SetAttrIntList(operation, name, int64s(list), list.length);
      return c.TF_SetAttrInt(operation, name, Number(value));
    case KIND.float:
      if (list) return c.TF_SetAttrFloatList(operation, name, Float32Array.from(list), list.length);
      return c.TF_SetAttrFloat(operation, name, value);
    case KIND.bool:
      return c.TF_SetAttrBool(operation, name, value ? 1 : 0);
    case KIND.type:
      if (list) return c.TF_SetAttrTypeList(operation, name, Int32Array.from(list), list.length);
      return c.TF_SetAttrType(operation, name, value);
    case KIND.shape:
      return c.TF_SetAttrShape(operation, name, int64s(list ?? []), list?.length ?? 0);
    case KIND.tensor:
      return c.check(`attribute ${name}`, (status) => c.TF_SetAttrTensor(operation, name, value, status));
    case KIND.func:
      return c.TF_SetAttrFuncName(operation, name, value, (value as string).length);
  }
}
