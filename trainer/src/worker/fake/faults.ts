// What goes wrong with a fake device: each fault once, when its time has come.
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Side } from '@trainer/protocol';
import { type Clock, systemClock } from '../../time.js';
import type { FakeFault, FakePhase } from './options.js';

/** Weights and results that a fault may spoil. */
export type Spoil = 'nan' | 'corrupt' | undefined;

const EXIT_CODE = 7;

/** The faults of one rank that are still to come. */
export class FaultPlan {
  readonly #rank: number;
  readonly #clock: Clock;
  #faults: readonly FakeFault[];

  constructor(faults: readonly FakeFault[], rank: number, clock: Clock = systemClock) {
    this.#rank = rank;
    this.#clock = clock;
    this.#faults = faults.filter((fault) => fault.rank === rank);
  }

  /** Does what is to be done here; returns what the caller has to spoil. Slow ones stop the thread. */
  meet(phase: FakePhase, side: Side, step: number): Spoil {
    const fault = this.#take(phase, side, step);
    if (fault?.do === 'slow') stopThread(fault.ms);
    else if (fault?.do === 'freeze-js') throw new Error(`a fake device cannot freeze-js in ${phase}: use freeze-thread`);
    else if (fault) return this.#happen(fault, step);
    return undefined;
  }

  /** As `meet`, where there is something to wait for. */
  async await(phase: FakePhase, side: Side, step: number): Promise<Spoil> {
    const fault = this.#take(phase, side, step);
    if (fault?.do === 'slow') await new Promise<void>((resolve) => this.#clock.later(resolve, fault.ms));
    else if (fault?.do === 'freeze-js') await new Promise<never>(() => {});
    else if (fault) return this.#happen(fault, step);
    return undefined;
  }

  #take(phase: FakePhase, side: Side, step: number): FakeFault | undefined {
    const fault = this.#faults.find((f) => f.phase === phase && step >= f.step && (f.side ?? side) === side);
    if (!fault) return undefined;
    this.#faults = this.#faults.filter((other) => other !== fault);
    return fault.once === undefined || isFirst(fault.once) ? fault : undefined;
  }

  #happen(fault: FakeFault, step: number): Spoil {
    switch (fault.do) {
      case 'nan':
      case 'corrupt':
        return fault.do;
      case 'throw':
        throw new Error(`rank ${this.#rank} throws as it was told to, in ${fault.phase} of step ${step}`);
      case 'freeze-thread':
        return stopThread(Number.POSITIVE_INFINITY);
      case 'freeze-native':
        return waitInSystem();
      case 'exit':
        return process.exit(EXIT_CODE);
      case 'kill':
        process.kill(process.pid, 'SIGKILL');
        return stopThread(Number.POSITIVE_INFINITY);
      default:
        return undefined;
    }
  }
}

function stopThread(ms: number): undefined {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  return undefined;
}

function isFirst(marker: string): boolean {
  try {
    closeSync(openSync(marker, 'wx'));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Opens a pipe that nobody ever writes. */
function waitInSystem(): never {
  const pipe = join(mkdtempSync(join(tmpdir(), 'trainer-frozen-')), 'pipe');
  spawnSync('mkfifo', [pipe]);
  openSync(pipe, 'r');
  throw new Error(`the pipe ${pipe} was opened by somebody`);
}
