/** What commands print for people. */

type Row = Record<string, string | number | null>;

export const count = (n: number, noun: string): string => (n === 1 ? `1 ${noun}` : `${n} ${noun}s`);

/** One line of at most 60 characters. */
export function oneLine(text: string): string {
  const line = text.replace(/\s+/g, " ");
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}

/** As people say it, to two digits or so. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 120) return `${s.toFixed(s < 10 ? 1 : 0)} s`;
  return s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`;
}

/** Columns as wide as what is in them, numbers to the right. */
export function table(rows: readonly Row[], none: string): string {
  const [first] = rows;
  if (!first) return none;
  const columns = Object.keys(first).filter((column) => rows.some((row) => row[column] !== ""));
  const width = (column: string) => Math.max(column.length, ...rows.map((row) => String(row[column]).length));
  const cell = (column: string, value: string | number | null) =>
    typeof rows[0]?.[column] === "number" ? String(value).padStart(width(column)) : String(value).padEnd(width(column));
  const line = (of: (column: string) => string | number | null) =>
    columns
      .map((column) => cell(column, of(column)))
      .join("  ")
      .trimEnd();
  return [line((column) => column), ...rows.map((row) => line((column) => row[column] ?? ""))].join("\n");
}

/** One field a line; objects as indented JSON. What is null is left out. */
export function details(job: Record<string, unknown>): string {
  const width = Math.max(...Object.keys(job).map((key) => key.length));
  return Object.entries(job)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([key, value]) => {
      const text = typeof value === "object" ? JSON.stringify(value, null, 2) : String(value);
      return `${key.padEnd(width)}  ${text.replaceAll("\n", `\n${" ".repeat(width + 2)}`)}`;
    })
    .join("\n");
}
