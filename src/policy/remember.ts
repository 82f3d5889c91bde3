/** What is derived from an ability is kept beside it, and forgotten with it. */
import type { Ability, Action, Subject } from "./ability.ts";
import { assertMade } from "./casl.ts";

/** `make`, called once for each ability, action and subject. */
export function forEachQuestion<T>(
  make: (ability: Ability, action: Action, subject: Subject) => T,
): (ability: Ability, action: Action, subject: Subject) => T {
  const kept = new WeakMap<Ability, Map<Subject, Map<Action, T>>>();
  const first = (ability: Ability, action: Action, subject: Subject): T => {
    assertMade(ability);
    const subjects = remember(kept, ability, () => new Map<Subject, Map<Action, T>>());
    const actions = remember(subjects, subject, () => new Map<Action, T>());
    return remember(actions, action, () => make(ability, action, subject));
  };
  return (ability, action, subject) => kept.get(ability)?.get(subject)?.get(action) ?? first(ability, action, subject);
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
