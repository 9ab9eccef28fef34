import { describe, expect, it } from 'vitest';
import type { ExchangeTimes } from '../allreduce/contract.js';
import { overlapped, type Step } from './overlap.js';

const TIMES: ExchangeTimes = { packMs: 0, waitMs: 0, reduceMs: 0, unpackMs: 0 };

/** A device that does one thing at a time, in `turns` of the event loop, and what happened on it and on this thread. */
class Scene {
  readonly events: string[] = [];
  #busy = false;

  async compute(what: string, turns: number): Promise<void> {
    if (this.#busy) throw new Error(`${what} while the device is busy`);
    this.#busy = true;
    this.events.push(`${what} begins`);
    for (let i = 0; i < turns; i++) await new Promise((next) => setImmediate(next));
    this.#busy = false;
    this.events.push(`${what} ends`);
  }

  step(name: string, { fails }: { fails?: 'gradients' | 'exchange' | 'update' } = {}): Step<string> {
    const failing = (part: string): void => {
      if (fails === part) throw new Error(`${part} ${name} failed`);
    };
    return async (around) => {
      await this.compute(`gradients ${name}`, 5);
      failing('gradients');
      await around(async () => {
        this.events.push(`exchange ${name}`);
        failing('exchange');
        return TIMES;
      });
      await this.compute(`update ${name}`, 5);
      failing('update');
      return name;
    };
  }
}

describe('overlapped steps', () => {
  it('exchange while the device computes, which does one thing at a time', async () => {
    const scene = new Scene();
    expect(await overlapped(scene.step('1'), scene.step('2'))).toEqual(['1', '2']);
    expect(scene.events).toEqual([
      ...['gradients 1 begins', 'gradients 1 ends', 'gradients 2 begins', 'exchange 1', 'gradients 2 ends'],
      ...['update 1 begins', 'exchange 2', 'update 1 ends', 'update 2 begins', 'update 2 ends'],
    ]);
  });

  it.each([
    ['1', 'gradients', 'gradients 1 failed', []],
    ['1', 'exchange', 'exchange 1 failed', ['exchange 1']],
    ['1', 'update', 'update 1 failed', ['exchange 1', 'exchange 2']],
    ['2', 'gradients', 'gradients 2 failed', ['exchange 1']],
    ['2', 'exchange', 'exchange 2 failed', ['exchange 1', 'exchange 2']],
    ['2', 'update', 'update 2 failed', ['exchange 1', 'exchange 2']],
  ] as const)('of which %s fails in its %s fail with that, once nothing runs', async (who, fails, message, exchanges) => {
    const scene = new Scene();
    const step = (name: string) => scene.step(name, name === who ? { fails } : {});
    await expect(overlapped(step('1'), step('2'))).rejects.toThrow(message);
    expect(scene.events.filter((event) => event.startsWith('exchange'))).toEqual(exchanges);
    await expect(scene.compute('what follows', 1)).resolves.toBeUndefined();
  });

  it('may exchange at once, as a rank without examples does', async () => {
    const step =
      (name: string): Step<string> =>
      async (around) => {
        await around(async () => TIMES);
        return name;
      };
    expect(await overlapped(step('1'), step('2'))).toEqual(['1', '2']);
  });
});
