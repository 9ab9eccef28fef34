// Learning-rate schedules as pure functions of the step.

export interface ScheduleOptions {
  readonly schedule: 'cosine' | 'step' | 'constant';
  /** Highest rate, reached after warm-up. */
  readonly lr: number;
  /** Steps of the whole run. */
  readonly totalSteps: number;
  /** Steps of linear warm-up: step k of them runs at lr * (k + 1) / warmupSteps (Goyal et al. 2017). */
  readonly warmupSteps: number;
}

/** He et al. 2015 divide by 10 at 32,000 and 48,000 of 64,000 steps. */
const DROPS = [0.5, 0.75] as const;

/**
 * Rate of step `step` (completed steps so far, from 0). The cosine falls from `lr` to 0 over the whole run (Loshchilov and
 * Hutter 2017, without restarts), as PyTorch's CosineAnnealingLR stepped once per batch.
 */
export function learningRate(step: number, { schedule, lr, totalSteps, warmupSteps }: ScheduleOptions): number {
  const warm = step < warmupSteps ? (step + 1) / warmupSteps : 1;
  switch (schedule) {
    case 'constant':
      return lr * warm;
    case 'step':
      return lr * warm * 10 ** -DROPS.filter((share) => step >= Math.round(share * totalSteps)).length;
    case 'cosine':
      return lr * warm * 0.5 * (1 + Math.cos((Math.PI * Math.min(step, totalSteps)) / totalSteps));
  }
}
