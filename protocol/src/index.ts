export * from './codec.js';
export * from './collective.js';
export * from './coordination.js';
export * from './events.js';
export * from './gpus.js';
export * from './metrics.js';
export * from './run.js';
export * from './training-state.js';
