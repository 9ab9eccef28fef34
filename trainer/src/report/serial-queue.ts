// Runs asynchronous tasks one after the other, in the order they were given.

export class SerialQueue {
  private tail: Promise<unknown> = Promise.resolve();

  /** Starts the task once all earlier ones have ended, whether well or not. Settles as the task does. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.tail.then(task);
    this.tail = result.catch(() => undefined);
    return result;
  }
}
