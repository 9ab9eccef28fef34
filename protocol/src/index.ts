export * from './metrics.js';
export * from './run.js';
