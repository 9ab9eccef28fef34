// The steps of two models on one device, one exchanging while the other computes. The exchange is work of this thread, which the
// device does not feel; it takes one run at a time all the same.
//
//   device   | gradients 1 | gradients 2 ........ | update 1 .. | update 2 |
//   thread                 | exchange 1 |         | exchange 2 |
import type { ExchangeTimes } from '../allreduce/contract.js';

type Exchanging = () => Promise<ExchangeTimes>;
/** Runs a step, whose exchange is made by what is handed in. */
export type Step<T> = (around: (exchange: Exchanging) => Promise<ExchangeTimes>) => Promise<T>;

/**
 * Takes both steps; what each of them computes is as if they were taken one after the other. Settles once nothing runs any more.
 * @throws what the first of them failed with; a second step does not exchange once the first has failed
 */
export async function overlapped<T>(first: Step<T>, second: Step<T>): Promise<readonly [T, T]> {
  let following: Promise<T> | undefined;
  let failed = false;
  const leading: Promise<T> = first(async (exchange) => {
    const computed = new Promise<void>((resolve) => {
      following = second(async (ownExchange) => {
        resolve();
        // The first step's update gets the device before this thread is busy with the exchange.
        await new Promise((next) => setImmediate(next));
        if (failed) await leading;
        const times = await ownExchange();
        await leading;
        return times;
      });
      following.then(() => resolve(), resolve);
    });
    const times = await exchange();
    await computed;
    return times;
  });
  leading.catch(() => {
    failed = true;
  });
  await Promise.allSettled([leading]);
  await Promise.allSettled([following]);
  return [await leading, await following!];
}
