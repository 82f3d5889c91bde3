/**
 * Removals that a store could not take. They are made up for before anything else is asked of it: whoever has invalidated something may not come
 * again, and the others would go on with the old value.
 */
import { type CacheStore, WrittenJustNow } from "./port.ts";

/** Beyond this many the first are given up; what they should have removed lives until its own time. */
const MAX_OWED = 10_000;
/** How many of them a call on Workers makes up for, beside those of its own keys. A request has 1,000 operations there, six at a time. */
const FEW = 20;

/** One object for each time that a removal is owed: one that is answered late pays for nothing that came to be owed after it. */
interface Debt {
  /** Others may have found meanwhile what was to be gone. */
  late: boolean;
}

interface DebtOptions {
  store: Pick<CacheStore, "remove">;
  /** Whether only a few are paid at a time. */
  inParts: boolean;
  /** Told of late ones that were paid. */
  onLate: (keys: readonly string[]) => void;
}

export function createDebts({ store, inParts, onLate }: DebtOptions) {
  const owed = new Map<string, Debt>();

  function due(keys: readonly string[]): [string, Debt][] {
    if (!inParts) return [...owed];
    const wanted = new Set(keys);
    for (const key of owed.keys())
      if (wanted.size >= keys.length + FEW) break;
      else wanted.add(key);
    return [...wanted].flatMap((key) => {
      const debt = owed.get(key);
      return debt ? [[key, debt]] : [];
    });
  }

  return {
    size: (): number => owed.size,
    has: (key: string): boolean => owed.has(key),
    add(keys: readonly string[], late: boolean): void {
      for (const key of keys) owed.set(key, { late });
      for (const key of owed.keys()) {
        if (owed.size <= MAX_OWED) break;
        owed.delete(key);
      }
    },
    /** Owes it no more; answers what was owed. */
    drop(key: string): Debt | undefined {
      const debt = owed.get(key);
      owed.delete(key);
      return debt;
    },
    /** All of them, or those of these keys and a few others. Rejects as the store does; what it did not take stays owed. */
    async pay(keys: readonly string[]): Promise<void> {
      const debts = due(keys);
      try {
        await store.remove(debts.map(([key]) => key));
      } catch (error) {
        if (error instanceof WrittenJustNow) return;
        throw error;
      }
      const paid = debts.filter(([key, debt]) => owed.get(key) === debt);
      for (const [key] of paid) owed.delete(key);
      const late = paid.filter(([, debt]) => debt.late);
      if (late.length > 0) onLate(late.map(([key]) => key));
    },
  };
}
