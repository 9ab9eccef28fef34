// For tests: whom a coordinator tells where nobody listens.
import type { Teller } from './contract.js';

export const SILENT: Teller = {
  notice: () => undefined,
  rankLog: () => undefined,
  models: () => undefined,
  print: () => undefined,
  onProgress: () => undefined,
  onEvent: () => undefined,
  record: () => undefined,
  ready: async () => undefined,
};
