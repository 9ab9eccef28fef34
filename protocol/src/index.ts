export * from './metrics.js';
export * from './run.js';
export * from './training-state.js';
