// Kernels that the layers need beyond TensorFlow.js' own: fused batch norm and the ReLU gradient. Stock tfjs takes them apart
// into a dozen elementwise ops, a third of a training step. Each backend registers its own form under these names.

/**
 * Batch norm with the batch's own statistics (Ioffe and Szegedy 2015).
 * Inputs x [N, H, W, C], scale [C], offset [C]; attribute epsilon.
 * Outputs y [N, H, W, C], batch mean [C], batch variance [C] (unbiased, divided by NHW - 1), and three workspaces for the gradient.
 */
export const TRAINING_BATCH_NORM = 'TrainingBatchNorm';

/** Inputs dy, x, scale and the workspaces `saved1..3`; attribute epsilon. Outputs dx, dscale, doffset. */
export const TRAINING_BATCH_NORM_GRAD = 'TrainingBatchNormGrad';

/** Batch norm by statistics that are given. Inputs x, scale, offset, mean, variance (biased) [C]; attribute epsilon. Output y. */
export const FROZEN_BATCH_NORM = 'FrozenBatchNorm';

/** Its gradient, the statistics held fast. Inputs dy, x, scale, mean, variance; attribute epsilon. Outputs dx, dscale, doffset. */
export const FROZEN_BATCH_NORM_GRAD = 'FrozenBatchNormGrad';

/** Gradient of ReLU from its output: inputs dy, y; output dy where y > 0, else 0. */
export const RELU_GRAD = 'ReluGradFromOutput';
