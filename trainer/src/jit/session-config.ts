// TensorFlow's ConfigProto (tensorflow/core/protobuf/config.proto), as far as a session's options need it.
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { SessionOptions } from './contract.js';

/** Field numbers of ConfigProto and of GPUOptions within it. */
const FIELD = { intraOp: 2, interOp: 5, gpuOptions: 6, allowSoftPlacement: 7, perSessionThreads: 9, gpuAllowGrowth: 4 } as const;

/**
 * On two cores one op at a time is best: two convolutions at once only slow each other down.
 */
const DEFAULT_INTER_OP_THREADS = 1;

/** The serialized ConfigProto: thread pools, GPU memory that grows instead of being taken whole, ops without a GPU kernel on the CPU. */
export function sessionConfig(options: SessionOptions): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(FIELD.intraOp, WireType.Varint).int32(options.intraOpThreads ?? 0);
  writer.tag(FIELD.interOp, WireType.Varint).int32(options.interOpThreads ?? DEFAULT_INTER_OP_THREADS);
  writer.tag(FIELD.gpuOptions, WireType.LengthDelimited).fork().tag(FIELD.gpuAllowGrowth, WireType.Varint).bool(true).join();
  writer.tag(FIELD.allowSoftPlacement, WireType.Varint).bool(true);
  writer.tag(FIELD.perSessionThreads, WireType.Varint).bool(true);
  return writer.finish();
}
