// File names of TensorFlow's C library, known without loading it.

const MAC = process.platform === 'darwin';
/** The library, and the one it links to: both are in TensorFlow's wheel. */
export const LIBRARIES = MAC
  ? (['libtensorflow_cc.2.dylib', 'libtensorflow_framework.2.dylib'] as const)
  : (['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'] as const);
