// tfjs-node 4.22 calls two helpers of node:util that Node 22 warns of and Node 23 removed: they are replaced before its files
// are loaded.
import { createRequire } from 'node:module';

const util = createRequire(import.meta.url)('node:util') as Record<string, unknown>;
util['isNullOrUndefined'] = (value: unknown) => value === undefined || value === null;
util['isArray'] = Array.isArray;
