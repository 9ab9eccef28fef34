// Reads the weights that a run starts from instead of random ones (`--init FILE`): safetensors with torchvision's names.
import { environmentError, usageError } from '../errors.js';
import { errorCode } from '../files.js';
import { type FileSystem, nodeFileSystem } from './file-system.js';
import { ioError } from './io-error.js';
import { type FloatTensor, fromTorchLayout } from './layout.js';
import { asFloatTensor, decodeSafetensors } from './safetensors.js';

/** PyTorch counts batches in each norm; the number is not used by any layer with a momentum. */
const IGNORED = /(^|\.)num_batches_tracked$/;

/**
 * Every tensor of the file by its name, in TensorFlow's layout (HWIO, [in, out]), as float32.
 * @throws TrainerError: exit code 2 where there is no such file or it is of another kind, 3 where it is damaged or unreadable.
 */
export async function loadInitialWeights(
  path: string,
  fileSystem: FileSystem = nodeFileSystem,
): Promise<Record<string, FloatTensor>> {
  const bytes = await read(fileSystem, path);
  const { tensors } = decodeSafetensors(bytes, path);
  const names = Object.keys(tensors).filter((name) => !IGNORED.test(name));
  if (names.length === 0) throw environmentError(`${path} holds no weights: give --init a file with some`);
  return Object.fromEntries(names.map((name) => [name, fromTorchLayout(asFloatTensor(tensors[name]!, name))]));
}

async function read(fileSystem: FileSystem, path: string): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await fileSystem.readFile(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') throw usageError(`there is no file ${path}: check what --init says`);
    if (errorCode(error) === 'EISDIR')
      throw usageError(`${path} is a folder: give --init a .safetensors file, such as one of those in a checkpoint`);
    if (errorCode(error) === 'EACCES')
      throw environmentError(`cannot read ${path}: permission denied; make it readable, or give --init another file`);
    throw ioError('read', path, error);
  }
  // PyTorch's own format is a zip archive, or a pickle (protocol 2) in old versions.
  const [first, second] = bytes;
  if ((first === 0x50 && second === 0x4b) || (first === 0x80 && second === 0x02))
    throw usageError(
      `${path} is a PyTorch pickle, which can run code: convert it with safetensors.torch.save_file(state_dict, FILE)`,
    );
  return bytes;
}
