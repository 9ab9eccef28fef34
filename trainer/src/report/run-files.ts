// Names of what lies in a run folder.

export const RUN_FILES = {
  config: 'config.yaml',
  metadata: 'metadata.json',
  log: 'output.log',
  metrics: 'metrics.jsonl',
  table: 'metrics.csv',
  summary: 'summary.json',
  gradients: 'gradients.npz',
  report: 'report.html',
  /** `rank<N>.log`: what each rank's thread told. */
  rankLogs: 'logs',
  checkpoints: 'checkpoints',
  /** As checkpoints, but not synced: they outlive a killed process, not a loss of power. */
  commits: 'commits',
} as const;

export const CHECKPOINT_FILES = {
  state: 'state.json',
  manifest: 'manifest.json',
} as const;
