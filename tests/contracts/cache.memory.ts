/** What a memory cache is filled with, to compare what it counts with what that takes. */
const numbers = Array.from({ length: 500 }, (_, i) => i);

interface Filling {
  count: number;
  value(): unknown;
  /** Tags of each value. */
  tags: number;
}

export const fillings: Record<string, Filling> = {
  texts: { count: 10_000, value: () => ({ name: "x".repeat(1_000) }), tags: 0 },
  "small arrays": { count: 150, value: () => numbers.map((n) => [n]), tags: 0 },
  points: { count: 150, value: () => ({ points: numbers.map((n) => [n / 7, n / 9]) }), tags: 0 },
  "long arrays": { count: 300, value: () => [...numbers, ...numbers], tags: 0 },
  "small objects": { count: 300, value: () => numbers.map((n) => ({ n })), tags: 0 },
  tags: { count: 5_000, value: () => 1, tags: 10 },
};
export const kinds = Object.keys(fillings);

export const tagsOf = (entry: number, count: number): string[] =>
  numbers.slice(0, count).map((n) => `customer:${entry}:order:${n}:0123456789abcdef0123456789abcdef`);
