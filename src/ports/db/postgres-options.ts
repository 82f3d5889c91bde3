/** What every driver of a PostgreSQL server is told, and what it tells the server. */
export interface PostgresOptions {
  url: string;
  poolSize: number;
  /** The server ends a statement that runs longer, in milliseconds. */
  statementTimeoutMs: number;
  /** A connection that is not used this long is closed, in seconds. */
  idleTimeoutS: number;
}

/** Seconds until a connection that is being made is given up. */
export const CONNECT_TIMEOUT_S = 4;
/** A connection is replaced after so many seconds. */
export const MAX_LIFETIME_S = 60 * 60;

/** The settings of a session. */
export const sessionSettings = (statementTimeoutMs: number) => ({
  application_name: "hearth",
  TimeZone: "UTC",
  statement_timeout: statementTimeoutMs,
  idle_in_transaction_session_timeout: 2 * statementTimeoutMs,
  // Compiling pays for reports. The claim of 500 jobs was estimated to be worth it, each time, and took twice as long (PostgreSQL 15).
  jit: "off",
});
