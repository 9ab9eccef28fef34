// One checkpoint folder: state.json, both models' weights and velocities, and the manifest that makes them count.
import { createHash } from 'node:crypto';
import path from 'node:path';
import { SIDES, type Side, type TrainingState, TrainingStateSchema } from '@trainer/protocol';
import { environmentError } from '../errors.js';
import { errorCode } from '../files.js';
import { type Chunks, writeAtomically, writeSynced } from './atomic.js';
import type { Checkpoint, ModelTensors } from './contract.js';
import type { FileSystem } from './file-system.js';
import { ioError } from './io-error.js';
import { type FloatTensor, fromTorchLayout, torchShape, toTorchLayout } from './layout.js';
import { decodeManifest, encodeManifest, type Manifest } from './manifest.js';
import { CHECKPOINT_FILES } from './run-files.js';
import { asFloatTensor, decodeSafetensors, safetensorsChunks } from './safetensors.js';

const weightsFile = (side: Side): string => `${side}.safetensors`;
const velocitiesFile = (side: Side): string => `${side}.optim.safetensors`;

/** Writes and syncs all files of a checkpoint into a new folder; the caller renames it to its place. */
export async function writeCheckpointFiles(
  fileSystem: FileSystem,
  folder: string,
  checkpoint: Checkpoint,
  best: boolean,
): Promise<void> {
  await fileSystem.makeFolder(folder);
  const files: Manifest['files'] = {};
  for (const [name, chunks] of contents(checkpoint)) {
    const hash = createHash('sha256');
    let bytes = 0;
    await writeSynced(fileSystem, path.join(folder, name), chunks, (piece) => {
      hash.update(piece);
      bytes += piece.length;
    });
    files[name] = { bytes, sha256: hash.digest('hex') };
  }
  const manifest = encodeManifest({ version: 1, step: checkpoint.state.step, best, files });
  await writeAtomically(fileSystem, path.join(folder, CHECKPOINT_FILES.manifest), manifest);
}

function* contents({ state, models }: Checkpoint): Generator<[name: string, chunks: Chunks]> {
  yield [CHECKPOINT_FILES.state, [Buffer.from(`${JSON.stringify(state, undefined, 2)}\n`)]];
  for (const side of SIDES) {
    const model = models[side];
    if (model === undefined) continue;
    yield [weightsFile(side), torchChunks(model.values)];
    yield [velocitiesFile(side), torchChunks(model.velocities)];
  }
}

/** Tensors are turned into torchvision's layout one at a time, when their turn to be written has come. */
const torchChunks = (tensors: Readonly<Record<string, FloatTensor>>): Chunks =>
  safetensorsChunks(
    Object.fromEntries(
      Object.entries(tensors).map(([name, tensor]) => [
        name,
        { shape: torchShape(tensor.shape), data: () => toTorchLayout(tensor).data },
      ]),
    ),
    { format: 'pt' },
  );

/**
 * Reads a checkpoint and proves every byte of it by the manifest's checksums.
 * @throws TrainerError (environment) that says what is missing or damaged; how to go on is for the caller to say.
 */
export async function readCheckpoint(fileSystem: FileSystem, folder: string): Promise<Checkpoint> {
  const manifest = await readManifest(fileSystem, folder);
  const read = (name: string): Promise<Uint8Array> => readProven(fileSystem, folder, manifest, name);
  const state = decodeState(await read(CHECKPOINT_FILES.state));
  if (state === undefined || state.step !== manifest.step)
    throw damaged(folder, `${CHECKPOINT_FILES.state} is not what it should be`);
  const models: Partial<Record<Side, ModelTensors>> = {};
  for (const side of SIDES) {
    if (state.models[side] === undefined) continue;
    const tensors = async (name: string) => decodeTensors(await read(name), path.join(folder, name));
    models[side] = { values: await tensors(weightsFile(side)), velocities: await tensors(velocitiesFile(side)) };
  }
  return { state, models };
}

/** @throws TrainerError (environment) where there is none or it is damaged. */
export async function readManifest(fileSystem: FileSystem, folder: string): Promise<Manifest> {
  const bytes = await readPresent(fileSystem, folder, CHECKPOINT_FILES.manifest);
  const manifest = decodeManifest(new TextDecoder().decode(bytes));
  if (manifest === undefined) throw damaged(folder, `${CHECKPOINT_FILES.manifest} is not a manifest`);
  return manifest;
}

/** All tensors of a safetensors file with torchvision's layouts, in TensorFlow's. */
const decodeTensors = (bytes: Uint8Array, source: string): Record<string, FloatTensor> =>
  Object.fromEntries(
    Object.entries(decodeSafetensors(bytes, source).tensors).map(([name, tensor]) => [
      name,
      fromTorchLayout(asFloatTensor(tensor, name)),
    ]),
  );

async function readProven(fileSystem: FileSystem, folder: string, manifest: Manifest, name: string): Promise<Uint8Array> {
  const promise = Object.hasOwn(manifest.files, name) ? manifest.files[name] : undefined;
  if (promise === undefined) throw damaged(folder, `its manifest does not name ${name}`);
  const bytes = await readPresent(fileSystem, folder, name);
  if (bytes.length !== promise.bytes) throw damaged(folder, `${name} has ${bytes.length} bytes instead of ${promise.bytes}`);
  if (sha256(bytes) !== promise.sha256) throw damaged(folder, `the checksum of ${name} does not match`);
  return bytes;
}

async function readPresent(fileSystem: FileSystem, folder: string, name: string): Promise<Uint8Array> {
  try {
    return await fileSystem.readFile(path.join(folder, name));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') throw damaged(folder, `${name} is missing`);
    throw ioError('read', path.join(folder, name), error);
  }
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function decodeState(bytes: Uint8Array): TrainingState | undefined {
  try {
    return TrainingStateSchema.safeParse(JSON.parse(new TextDecoder().decode(bytes))).data;
  } catch {
    return undefined;
  }
}

const damaged = (folder: string, what: string): Error => environmentError(`the checkpoint ${folder} is damaged (${what})`);
