/** What was thrown, as the record takes it: it may be anything, also what throws itself when it is looked at. */
export function faultOf(error: unknown): { code: string; message: string; isFinal: boolean } {
  try {
    return {
      code: codeOf(error),
      message: String(error instanceof Error ? error.message : error),
      isFinal: (error as { retryable?: unknown } | null | undefined)?.retryable === false,
    };
  } catch {
    return { code: "error", message: "What was thrown cannot be read.", isFinal: false };
  }
}

const codeOf = (error: unknown): string => {
  const code =
    (error as { name?: unknown; code?: unknown } | null)?.name === "AppError"
      ? (error as { code: unknown }).code
      : null;
  return typeof code === "string" ? code : "error";
};

/** What the record can hold, and an operator would read. */
export const clean = (message: string): string => message.replaceAll("\0", "").slice(0, 2000).toWellFormed();
