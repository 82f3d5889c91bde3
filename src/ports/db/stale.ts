import { AppError } from "../../core/error.ts";

const STALE = new Error("a statement that has to touch a row touched none");

/** What a failed `must` becomes. */
export const stale = (): AppError =>
  new AppError("conflict", {
    detail: "The resource changed while the request was being decided. Nothing was changed.",
    cause: STALE,
  });

export const isStale = (error: unknown): boolean => error instanceof AppError && error.cause === STALE;
