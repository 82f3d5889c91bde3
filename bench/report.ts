/** Figures as Markdown tables. Ratios are taken round by round, between slots that ran one after the other, and then the median. */
import type { Endpoint, Slot } from "./load.ts";
import type { Target } from "./servers.ts";

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[sorted.length % 2 ? middle : middle - 1], sorted[middle]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}

const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
const table = (head: readonly string[], rows: readonly string[][]) =>
  [row(head), row(head.map((_, i) => (i === 0 ? "---" : "--:"))), ...rows.map(row)].join("\n");

export function coldTable(targets: readonly Target[], cold: ReadonlyMap<string, readonly number[]>): string {
  const rows = targets.map(({ name }) => {
    const ms = cold.get(name) ?? [];
    return [name, median(ms).toFixed(0), `${Math.min(...ms).toFixed(0)} to ${Math.max(...ms).toFixed(0)}`];
  });
  return `\nFrom the start of the process to the first answer of /livez\n\n${table(["server", "ms", "range"], rows)}`;
}

type Figure = "perSecond" | "p50Ms" | "p99Ms" | "cpuUs";

export function loadTables(
  targets: readonly Target[],
  endpoints: readonly Endpoint[],
  slots: ReadonlyMap<string, readonly Slot[]>,
  rss: ReadonlyMap<string, readonly number[]>,
): string {
  const parts = endpoints.flatMap(({ key, title }) => {
    const rows = targets.flatMap(({ name, base }) => {
      const own = slots.get(`${key} ${name}`);
      if (!own) return [];
      const others = base === null ? undefined : slots.get(`${key} ${base}`);
      const times = (figure: Figure) =>
        others ? median(own.map((slot, i) => slot[figure] / (others[i]?.[figure] ?? Number.NaN))).toFixed(2) : "";
      const middle = (figure: Figure, digits: number) => median(own.map((slot) => slot[figure])).toFixed(digits);
      const errors = own.reduce((sum, slot) => sum + slot.errors, 0);
      return [
        [
          name,
          ...[middle("perSecond", 0), times("perSecond"), middle("cpuUs", 0), times("cpuUs")],
          ...[middle("p50Ms", 1), times("p50Ms"), middle("p99Ms", 1), times("p99Ms")],
          ...[String(errors), median(own.map(({ foreign }) => foreign)).toFixed(0)],
        ],
      ];
    });
    const head = ["server", "req/s", "×", "CPU µs/req", "×", "p50 ms", "×", "p99 ms", "×", "errors", "foreign %"];
    return rows.length > 0 ? [`\n${title}\n\n${table(head, rows)}`] : [];
  });
  const memory = targets.flatMap(({ name }) => {
    const found = rss.get(name);
    return found ? [[name, ...found.map((mib) => mib.toFixed(0))]] : [];
  });
  const head = ["server", "at the end of the load, RSS MiB", "6 s later"];
  return [...parts, `\nMemory\n\n${table(head, memory)}`].join("\n");
}
