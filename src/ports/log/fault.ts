/**
 * An error as a log line shows it: type, message, stack, code and causes, and nothing else, because what drivers hang on their errors (`query`,
 * `parameters`, `detail`, `where`) is made of data. What they put into the message is cut out:
 *
 * - Drizzle: `Failed query: <sql>\nparams: <values>` (drizzle-orm 0.45, errors.ts);
 * - PostgreSQL: `invalid input syntax for type uuid: "<value>"` and others of class 22, whose value stands in quotes after a colon.
 */
import { AppError } from "../../core/error.ts";
import { REDACTED } from "./redact.ts";

export interface FaultLine {
  type: string;
  message: string;
  code?: string | number;
  stack?: string;
  cause?: unknown;
  errors?: unknown[];
}

const MAX_CAUSES = 5;
const MAX_ERRORS = 10;
/** Of the message, where the stack repeats it: the frames have to fit too. */
const MAX_HEAD = 500;

/** `text` prints a string: scrubbed and cut. `other` prints a cause that is not an error. */
export function faultLine(
  error: Error,
  text: (value: string) => string,
  other: (value: unknown) => unknown,
  depth = 0,
): FaultLine {
  const next = (value: unknown) =>
    depth >= MAX_CAUSES ? "[more]" : value instanceof Error ? faultLine(value, text, other, depth + 1) : other(value);
  const { code, cause, errors } = error as Error & { code?: unknown; errors?: unknown };
  const type = text(String(error.name === "Error" ? (error.constructor?.name ?? "Error") : error.name));
  const message = text(withoutValues(String(error.message), code));
  const line: FaultLine = { type, message };
  if (typeof code === "string" || typeof code === "number") line.code = typeof code === "string" ? text(code) : code;
  const frames = framesOf(error);
  if (frames) line.stack = text(`${type}: ${message.slice(0, MAX_HEAD)}\n${frames}`);
  if (cause !== undefined && cause !== null) line.cause = next(cause);
  // An AppError's `errors` are the client's input faults, which the client has been told.
  if (Array.isArray(errors) && depth < 2 && !(error instanceof AppError))
    line.errors = errors.slice(0, MAX_ERRORS).map(next);
  return line;
}

function withoutValues(message: string, code: unknown): string {
  // To the end of the message: a value may hold anything, line breaks too.
  if (message.includes("Failed query")) message = message.replace(/\bparams: [\s\S]*$/, `params: ${REDACTED}`);
  if (typeof code === "string" && /^22\w{3}$/.test(code)) message = message.replace(/: "[\s\S]*$/, `: ${REDACTED}`);
  return message;
}

/** The frames alone. The head of a stack repeats the message as it was, so it is cut by the message, and then by the form of a frame. */
function framesOf(error: Error): string {
  const stack = typeof error.stack === "string" ? error.stack : "";
  const at = stack.indexOf(error.message);
  const lines = (at === -1 ? stack : stack.slice(at + error.message.length)).split("\n");
  let first = lines.length;
  while (first > 0 && /^\s+at \S/.test(lines[first - 1] as string)) first--;
  return lines.slice(first).join("\n");
}
