// Host tensors whose memory is someone else's: after it is gone, asking for it is an error instead of a read of freed memory.
import type { HostSpec, HostTensor } from './contract.js';

export class Loan {
  readonly #what: string;
  #ended = false;

  /** @param what is lent, for messages. */
  constructor(what: string) {
    this.#what = what;
  }

  tensor({ dtype, shape }: HostSpec, data: HostTensor['data']): HostTensor {
    const current = (): HostTensor['data'] => {
      if (this.#ended) throw new Error(`${this.#what}: this memory was freed`);
      return data;
    };
    return {
      dtype,
      shape,
      get data() {
        return current();
      },
    };
  }

  end(): void {
    this.#ended = true;
  }
}
