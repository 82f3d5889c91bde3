/** What the work answers. Rejects when it takes longer than so many milliseconds; the work itself goes on, and what it throws then is ignored. */
export function withTimeout<T>(work: Promise<T>, ms: number, fault = () => new Error(`no answer within ${ms} ms`)) {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(fault()), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
