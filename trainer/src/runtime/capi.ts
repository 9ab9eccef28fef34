// TensorFlow's C API (tensorflow/c/c_api.h) through koffi: just the functions that building and running graphs needs.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import koffi from 'koffi';
import { environmentError } from '../errors.js';
import { withoutBanner } from './banner.js';
import { setEnvironmentDefaults } from './environment.js';
import { LIBRARIES } from './library-names.js';
import { keepLoaded } from './resident.js';

/** An address in native memory. */
export type Pointer = bigint;
/** `TF_Output`: one result of an operation in a graph. */
export interface TfOutput {
  readonly oper: Pointer;
  readonly index: number;
}

/** TF_DataType numbers (tensorflow/c/tf_datatype.h). */
export const DTYPE = {
  float32: 1,
  int32: 3,
  uint8: 4,
  string: 7,
  complex64: 8,
  int64: 9,
  bool: 10,
  bfloat16: 14,
  resource: 20,
} as const;

/** Calls that take a status report failure there; `CApi.check` turns it into an exception. */
const SIGNATURES = [
  'const char* TF_Version()',
  'void* TF_NewStatus()',
  'int TF_GetCode(void*)',
  'const char* TF_Message(void*)',
  'void TF_DeleteStatus(void*)',
  'void* TF_NewGraph()',
  'void TF_DeleteGraph(void*)',
  'void* TF_NewOperation(void*, const char*, const char*)',
  'void TF_SetDevice(void*, const char*)',
  'void TF_AddInput(void*, TF_Output)',
  'void TF_AddInputList(void*, TF_Output*, int)',
  'void TF_AddControlInput(void*, void*)',
  'void TF_SetAttrString(void*, const char*, const void*, size_t)',
  'void TF_SetAttrInt(void*, const char*, int64_t)',
  'void TF_SetAttrIntList(void*, const char*, const int64_t*, int)',
  'void TF_SetAttrFloat(void*, const char*, float)',
  'void TF_SetAttrFloatList(void*, const char*, const float*, int)',
  'void TF_SetAttrBool(void*, const char*, uint8_t)',
  'void TF_SetAttrType(void*, const char*, int)',
  'void TF_SetAttrTypeList(void*, const char*, const int*, int)',
  'void TF_SetAttrShape(void*, const char*, const int64_t*, int)',
  'void TF_SetAttrTensor(void*, const char*, void*, void*)',
  'void TF_SetAttrFuncName(void*, const char*, const char*, size_t)',
  'void* TF_FinishOperation(void*, void*)',
  'int TF_OperationOutputType(TF_Output)',
  'int TF_GraphGetTensorNumDims(void*, TF_Output, void*)',
  'void TF_GraphGetTensorShape(void*, TF_Output, _Out_ int64_t*, int, void*)',
  'void TF_GraphSetTensorShape(void*, TF_Output, const int64_t*, int, void*)',
  'const char* TF_OperationName(void*)',
  'void* TF_GraphOperationByName(void*, const char*)',
  'void TF_GraphToGraphDef(void*, void*, void*)',
  'void TF_GraphImportGraphDef(void*, void*, void*, void*)',
  'void* TF_NewBuffer()',
  'void TF_DeleteBuffer(void*)',
  'void* TF_NewImportGraphDefOptions()',
  'void TF_DeleteImportGraphDefOptions(void*)',
  'void TF_ImportGraphDefOptionsSetPrefix(void*, const char*)',
  'void TF_ImportGraphDefOptionsSetDefaultDevice(void*, const char*)',
  'void TF_ImportGraphDefOptionsAddInputMapping(void*, const char*, int, TF_Output)',
  'void* TF_GraphToFunctionWithControlOutputs(void*, const char*, uint8_t, int, void**, int, TF_Output*, int, TF_Output*, void*, int, void**, const char**, void*, const char*, void*)',
  'void TF_FunctionSetAttrValueProto(void*, const char*, const void*, size_t, void*)',
  'void TF_GraphCopyFunction(void*, void*, void*, void*)',
  'void TF_DeleteFunction(void*)',
  'void* TF_NewSessionOptions()',
  'void TF_SetConfig(void*, const void*, size_t, void*)',
  'void TF_DeleteSessionOptions(void*)',
  'void* TF_NewSession(void*, void*, void*)',
  'void TF_CloseSession(void*, void*)',
  'void TF_DeleteSession(void*, void*)',
  'void* TF_SessionListDevices(void*, void*)',
  'void TF_DeleteDeviceList(void*)',
  'int TF_DeviceListCount(void*)',
  'const char* TF_DeviceListName(void*, int, void*)',
  'const char* TF_DeviceListType(void*, int, void*)',
  'int64_t TF_DeviceListMemoryBytes(void*, int, void*)',
  'void TF_SessionRun(void*, void*, TF_Output*, void**, int, TF_Output*, _Out_ void**, int, void**, int, void*, void*)',
  'void TF_SessionPRunSetup(void*, TF_Output*, int, TF_Output*, int, void**, int, _Out_ void**, void*)',
  'void TF_SessionPRun(void*, void*, TF_Output*, void**, int, TF_Output*, _Out_ void**, int, void**, int, void*)',
  'void TF_DeletePRunHandle(void*)',
  'void* TF_AllocateTensor(int, const int64_t*, int, size_t)',
  'void* TF_TensorData(void*)',
  'size_t TF_TensorByteSize(void*)',
  'void TF_DeleteTensor(void*)',
] as const;

type NameOf<S extends string> = S extends `${string} ${infer Rest}(${string}`
  ? Rest extends `${string} ${infer Name}`
    ? Name
    : Rest
  : never;
// biome-ignore lint/suspicious/noExplicitAny: koffi converts arguments by the C signature, which TypeScript cannot see.
type NativeFunction = ((...args: any[]) => any) & { async: (...args: any[]) => void };
type Calls = Readonly<Record<NameOf<(typeof SIGNATURES)[number]>, NativeFunction>>;

/** The library's functions by their C names, and two helpers for statuses. */
export interface CApi extends Calls {
  readonly path: string;
  /** Runs `call` with a fresh status and throws `what: message` if it failed. */
  check<T>(what: string, call: (status: Pointer) => T): T;
}

const LIBRARY = LIBRARIES[0];
let loaded: CApi | undefined;

/**
 * Loads TensorFlow's C library from the folder that holds it; once per thread, the first folder wins. Takes about 2 s.
 * @throws TrainerError (exit code 3) if the folder has no library or the system cannot load it.
 */
export function loadLibrary(folder: string): CApi {
  if (loaded) return loaded;
  const path = join(folder, LIBRARY);
  if (!existsSync(path)) throw environmentError(`no ${LIBRARY} in ${folder}: run \`trainer setup\``);
  // Read by the library as it starts: no banner and no per-op chatter, and never all of a GPU's memory at once. The GPU
  // library calls a missing driver an error (level 2) in every session, which on a machine without GPUs it is not.
  setEnvironmentDefaults({
    TF_CPP_MIN_LOG_LEVEL: existsSync('/dev/nvidiactl') || existsSync('/dev/dxg') ? '2' : '3',
    TF_FORCE_GPU_ALLOW_GROWTH: 'true',
    // Without this the first session's number of threads holds for all of the process.
    TF_OVERRIDE_GLOBAL_THREADPOOL: '1',
  });
  const library = open(path);
  koffi.struct('TF_Output', { oper: 'void*', index: 'int' });
  const calls = Object.fromEntries(SIGNATURES.map((s) => [/(\w+)\(/.exec(s)![1]!, library.func(s)])) as unknown as Calls;
  loaded = { ...calls, path, check: (what, call) => checked(calls, what, call) };
  return loaded;
}

function open(path: string): ReturnType<typeof koffi.load> {
  try {
    return withoutBanner(() => {
      const library = koffi.load(path);
      keepLoaded(path);
      return library;
    });
  } catch (cause) {
    throw environmentError(`cannot load ${path}: ${(cause as Error).message}; run \`trainer doctor\``, { cause });
  }
}

function checked<T>(calls: Calls, what: string, call: (status: Pointer) => T): T {
  const status = calls.TF_NewStatus() as Pointer;
  try {
    const result = call(status);
    if (calls.TF_GetCode(status) !== 0) throw new Error(`${what}: ${calls.TF_Message(status)}`);
    return result;
  } finally {
    calls.TF_DeleteStatus(status);
  }
}

/** Numbers as the int64_t array that C expects. */
export const int64s = (numbers: readonly number[]): BigInt64Array => BigInt64Array.from(numbers, BigInt);
