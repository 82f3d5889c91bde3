/** What is derived from an ability is kept beside it, and forgotten with it. */
import type { Ability, Action, Subject } from "./ability.ts";
import { assertMade } from "./casl.ts";

/** `make`, called once for each ability, action and subject. */
export function forEachQuestion<T>(
  make: (ability: Ability, action: Action, subject: Subject) => T,
): (ability: Ability, action: Action, subject: Subject) => T {
  const kept = new WeakMap<Ability, Map<string, T>>();
  return (ability, action, subject) => {
    const questions = remember(kept, ability, () => {
      assertMade(ability);
      return new Map<string, T>();
    });
    return remember(questions, `${action} ${subject}`, () => make(ability, action, subject));
  };
}

/** The kept value of a key, made when it is first asked for. `undefined` is never kept. */
export function remember<K, V>(
  kept: { get(key: K): V | undefined; set(key: K, value: V): unknown },
  key: K,
  make: () => V,
): V {
  let value = kept.get(key);
  if (value === undefined) {
    value = make();
    kept.set(key, value);
  }
  return value;
}
