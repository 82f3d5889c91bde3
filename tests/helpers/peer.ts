/** What cases of a contract come to where there is no test runner: under Node, in workerd. */

/** Each case by its name, with its fault, or null. */
export type Outcomes = Record<string, string | null>;

/** Runs the cases one after the other. */
export async function outcomes<C extends { name: string }>(
  cases: readonly C[],
  run: (one: C) => unknown,
): Promise<Outcomes> {
  const found: Outcomes = {};
  for (const one of cases) {
    try {
      await run(one);
      found[one.name] = null;
    } catch (error) {
      found[one.name] = error instanceof Error ? (error.stack ?? error.message) : String(error);
    }
  }
  return found;
}

/** What is printed when no case has a fault. */
export const allHold = (cases: readonly { name: string }[]): Outcomes =>
  Object.fromEntries(cases.map(({ name }) => [name, null]));
