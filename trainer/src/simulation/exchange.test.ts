import { afterAll, beforeAll } from 'vitest';
import type { EngineUnderTest, RankUnderTest } from '../allreduce/conformance/engine-under-test.js';
import { exchangeSuite } from '../allreduce/conformance/exchange-suite.js';
import type { Exchange, ExchangeLayout } from '../allreduce/contract.js';
import { quiet, SimulatedClock } from './clock.js';
import { SimulatedExchanges } from './exchange.js';

const clock = new SimulatedClock();
const exchanges = new SimulatedExchanges(clock);

/** Carries out the calls of one rank one after the other; of one that is ended, none any more. */
function rankUnderTest(end: Exchange, layout: ExchangeLayout): RankUnderTest {
  let last: Promise<unknown> = Promise.resolve();
  let alive = true;
  const next = <T>(call: () => Promise<T> | T): Promise<T> => {
    const result = last.then(() => (alive ? call() : new Promise<T>(() => {})));
    last = result.catch(() => {});
    return result;
  };
  return {
    exchange: (contribution, { inPlace, ...options }) =>
      next(async () => {
        const blank = (lengths: readonly number[]) => lengths.map((length) => new Float32Array(length));
        const into = inPlace ? contribution : { gradients: blank(layout.gradients), exact: blank(layout.exact) };
        await end.exchange(contribution, into, options);
        return { gradients: into.gradients, exact: into.exact };
      }),
    barrier: (deadlineMs) => next(() => end.barrier({ deadlineMs })),
    abort: (reason) => next(() => end.abort(reason)),
    close: () => next(() => end.close()),
    kill: async () => {
      alive = false;
    },
  };
}

const simulated: EngineUnderTest = {
  name: 'a simulation',
  open: async ({ wire, layouts }) => {
    const group = exchanges.create({ ranks: layouts.length, wire });
    return {
      ranks: layouts.map((layout, rank) => rankUnderTest(exchanges.join(group, rank, layout), layout)),
      abort: (reason) => exchanges.abort(group, reason),
      close: async () => exchanges.abort(group, 'the test is over'),
    };
  },
};

/** Time goes on whenever nothing else does. */
let running = true;
beforeAll(() => {
  void (async () => {
    while (running) {
      await quiet();
      clock.step();
    }
  })();
});
afterAll(() => {
  running = false;
});

exchangeSuite(simulated);
