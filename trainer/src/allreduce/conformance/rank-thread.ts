// A thread that is one rank after the other: the conformance suite keeps a few of them for all its groups.
import { parentPort } from 'node:worker_threads';
import type { Contribution, Exchange, ExchangeLayout, ExchangeMemory } from '../contract.js';
import { type ExchangeGroup, joinGroup } from '../shared-memory.js';
import type { ExchangeCall } from './engine-under-test.js';

export type RankRequest =
  | { readonly do: 'join'; readonly group: ExchangeGroup; readonly rank: number; readonly layout: ExchangeLayout }
  | { readonly do: 'exchange'; readonly contribution: Contribution; readonly call: ExchangeCall }
  | { readonly do: 'barrier'; readonly deadlineMs: number }
  | { readonly do: 'abort'; readonly reason: string }
  | { readonly do: 'close' };

export type RankReply =
  | { readonly mean?: ExchangeMemory }
  | { readonly error: { readonly name: string; readonly message: string } };

let exchange: Exchange;
let layout: ExchangeLayout;

async function carryOut(request: RankRequest): Promise<RankReply> {
  switch (request.do) {
    case 'join':
      layout = request.layout;
      exchange = joinGroup(request.group, request.rank, layout);
      return {};
    case 'exchange': {
      const { contribution, call } = request;
      const mean = call.inPlace ? contribution : zeros();
      await exchange.exchange(contribution, mean, call);
      return { mean: { gradients: mean.gradients, exact: mean.exact } };
    }
    case 'barrier':
      await exchange.barrier(request);
      return {};
    case 'abort':
      exchange.abort(request.reason);
      return {};
    case 'close':
      exchange.close();
      return {};
  }
}

const zeros = (): ExchangeMemory => ({
  gradients: layout.gradients.map((floats) => new Float32Array(floats)),
  exact: layout.exact.map((floats) => new Float32Array(floats)),
});

parentPort?.on('message', (request: RankRequest) => {
  carryOut(request)
    .catch((error: Error): RankReply => ({ error: { name: error.name, message: error.message } }))
    .then((reply) => parentPort?.postMessage(reply));
});
