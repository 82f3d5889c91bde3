/** Shapes of statements are few where code makes them, and bounded where a client's choice of filters does. */
const MAX = 200;

/** `make`, called once for each key. */
export function remembered<A, R>(keyOf: (arg: A) => string, make: (arg: A) => R): (arg: A) => R {
  const known = new Map<string, R>();
  return (arg) => {
    const key = keyOf(arg);
    const before = known.get(key);
    if (before !== undefined) return before;
    const made = make(arg);
    if (known.size >= MAX) known.clear();
    known.set(key, made);
    return made;
  };
}
