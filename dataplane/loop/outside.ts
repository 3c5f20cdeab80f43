/**
 * How many things of this worker wait for a server that is asked before a request goes on. What drives the worker's
 * sockets leaves the runtime time for them meanwhile.
 */
export const outside = { waiting: 0 };

/** Counts a promise as waited for until it is settled, and gives it back as it is. */
export function waitsFor<T>(promise: Promise<T>): Promise<T> {
  outside.waiting++;
  const over = () => {
    outside.waiting--;
  };
  promise.then(over, over);
  return promise;
}
