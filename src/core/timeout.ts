/** What the work answers. Rejects when that takes more than `ms` milliseconds; the work then goes on unheard. */
export function withTimeout<T>(work: Promise<T>, ms: number, fault = () => new Error(`no answer within ${ms} ms`)) {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(fault()), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Resolves after so many milliseconds. */
export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
