/**
 * The log: JSON lines, one an event. Every driver writes the same line for the same call (see `line.ts`):
 *
 *     {"level":"info","time":"2026-01-31T09:30:00.000Z", …fields of the log, then of the call…, "msg":"…"}
 *
 * - Values that are secret by their name, their type or their form do not reach the output (see `redact.ts`), and an error is written
 *   without the parameters that database drivers put into its message (see `fault.ts`). An error goes into the field `err`.
 * - A value is cut at 8 KiB, and a line holds a limited number of them; nothing that is logged can make the log throw.
 * - A line may be held back for up to a second. `flush` writes out what is held. The end of the process does it too, but cannot wait for a
 *   write that is under way: whoever ends the process, for a fault too, awaits `flush` first.
 */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** `silent` writes nothing. */
export const logThresholds = ["debug", "info", "warn", "error", "silent"] as const;
export type LogThreshold = (typeof logThresholds)[number];

export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** One line a request: `error` from status 500, else `info`. Its fields are written as they are: see RequestLine. */
  request(line: RequestLine): void;
  /** A log that adds these fields to each of its lines. */
  child(fields: object): Log;
  flush(): Promise<void>;
}

/**
 * What is known of every request. The set is closed and holds nothing secret (the route as it was declared, never the URL), which is why
 * these lines go past redaction.
 */
export interface RequestLine {
  requestId: string;
  /** 32 hex digits. */
  traceId: string;
  /** The actor's id; null for an anonymous one. */
  actor: string | null;
  method: string;
  /** The declared route, such as `/v1/users/{id}`; null where none matched. */
  route: string | null;
  status: number;
  /** How long it took, in milliseconds. */
  ms: number;
}

export const requestLevel = (status: number): "error" | "info" => (status >= 500 ? "error" : "info");
