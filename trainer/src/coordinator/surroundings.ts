// What the coordinator needs of its machine beside a clock and a channel: devices, data, and a disk.
import type { Dataset, LoadOptions } from '../data/contract.js';
import { loadDataset } from '../data/load.js';
import { openCheckpoints, openCommits } from '../report/checkpoints.js';
import type { CheckpointWriter, CommitWriter, ResumableRun } from '../report/contract.js';
import { findResumable } from '../report/resume.js';
import { type OpenRanks, type OpenRanksOptions, openRanks } from './open-ranks.js';

export interface Surroundings {
  openRanks(options: OpenRanksOptions): Promise<OpenRanks>;
  loadDataset(which: string, options: LoadOptions): Promise<Dataset>;
  findResumable(out: string, which: string, onNotice: (line: string) => void): Promise<ResumableRun>;
  openCheckpoints(options: { readonly runPath: string; readonly keep: number }): Promise<CheckpointWriter>;
  openCommits(options: { readonly runPath: string }): Promise<CommitWriter>;
}

export const THIS_MACHINE: Surroundings = { openRanks, loadDataset, findResumable, openCheckpoints, openCommits };
