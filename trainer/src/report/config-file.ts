// config.yaml: the resolved configuration of a run, as text for people and as the value that a resumed run starts from.
import { type RunConfig, RunConfigSchema } from '@trainer/protocol';
import { parseDocument, stringify } from 'yaml';
import { environmentError } from '../errors.js';
import type { FileSystem } from './file-system.js';
import { ioError } from './io-error.js';

/** The file's text. Keys stand in the order of the schema. */
export const encodeConfig = (config: RunConfig): string =>
  `# Everything that decides this run's numbers. Repeat it with: trainer start --config config.yaml\n${stringify(config)}`;

/** @throws TrainerError (environment) where the file is unreadable, not YAML, or not a configuration. */
export async function readConfig(fileSystem: FileSystem, path: string): Promise<RunConfig> {
  let text: string;
  try {
    text = new TextDecoder().decode(await fileSystem.readFile(path));
  } catch (error) {
    throw ioError('read', path, error);
  }
  const remedy = 'restore the file, or start a new run';
  const document = parseDocument(text);
  const [problem] = document.errors;
  if (problem !== undefined) throw environmentError(`${path} is not YAML: ${firstLine(problem.message)}; ${remedy}`);
  const result = RunConfigSchema.safeParse(document.toJS());
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.join('.') || 'the whole file';
  throw environmentError(`${path} is not a run's configuration: ${where}: ${issue?.message}; ${remedy}`);
}

const firstLine = (text: string): string => text.split('\n', 1)[0]!.replace(/:$/, '');
