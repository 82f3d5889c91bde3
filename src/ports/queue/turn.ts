/**
 * How many jobs begin before the event loop goes round. Jobs that end at once would else all run before the next claim and the outcomes
 * are sent, and the database would rest meanwhile; and whoever else is served by this process would wait for them all.
 */
const MOST = 100;

/** `resume` is called when the loop has gone round. */
export function createTurn(resume: () => void) {
  let begun = 0;

  return {
    isOver: (): boolean => begun >= MOST,
    /** One more has begun. */
    count(): void {
      if (++begun !== MOST) return;
      setImmediate(() => {
        begun = 0;
        resume();
      });
    },
  };
}
