/** Who is told of the lists that have committed. Both dialects share it. */
import type { CommitListener, Db } from "./port.ts";
import type { Step } from "./statement.ts";

interface Commits {
  committed: Db["committed"];
  /** Tells of a list that has committed. While nobody listens it looks at nothing. */
  tell(steps: readonly (Step | null)[]): void;
}

export function createCommits(): Commits {
  /** One object a subscription, so that one function may listen twice. */
  const listeners = new Set<{ on: CommitListener }>();

  return {
    committed(on) {
      const listener = { on };
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    tell(steps) {
      if (listeners.size === 0) return;
      const tables: string[] = [];
      for (const step of steps) {
        const table = step?.bound.compiled.target;
        if (table && !step.bound.quiet && !tables.includes(table)) tables.push(table);
      }
      if (tables.length === 0) return;
      for (const { on } of listeners) {
        try {
          on(tables);
        } catch {
          // The list has committed: what a listener makes of it must not look like a failed write.
        }
      }
    },
  };
}
