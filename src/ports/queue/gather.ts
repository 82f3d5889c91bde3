/**
 * Carriers bring ids one by one, and a claim takes as many as it is given: one is under way at a time and takes all that have come
 * meanwhile. Answers each caller what became of its own ids; an id that two brought goes to the first.
 */
export function gather<T>(take: (ids: readonly string[]) => Promise<Map<string, T>>) {
  interface Caller {
    ids: readonly string[];
    resolve(found: Map<string, T>): void;
    reject(error: unknown): void;
  }
  let callers: Caller[] = [];
  let isWorking = false;

  async function work() {
    isWorking = true;
    while (callers.length > 0) {
      const batch = callers;
      callers = [];
      try {
        const found = await take([...new Set(batch.flatMap(({ ids }) => ids))]);
        for (const { ids, resolve } of batch) resolve(own(found, ids));
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    isWorking = false;
  }

  function own(found: Map<string, T>, ids: readonly string[]): Map<string, T> {
    const mine = new Map<string, T>();
    for (const id of ids) {
      const value = found.get(id);
      if (value !== undefined) mine.set(id, value);
      found.delete(id);
    }
    return mine;
  }

  return (ids: readonly string[]): Promise<Map<string, T>> =>
    new Promise((resolve, reject) => {
      callers.push({ ids, resolve, reject });
      if (!isWorking) void work();
    });
}
