/** What is measured of a queue, whichever it is. Its job does nothing; its payload is two numbers. */

export interface Payload {
  i: number;
  /** When it began to be enqueued, in milliseconds since the epoch, with fractions. */
  t: number;
}

export interface Engine {
  /** In one call, or in as many as the engine's own guide makes of it. */
  addMany(payloads: Payload[]): Promise<unknown>;
  add(payload: Payload): Promise<unknown>;
  /** One job in one transaction with one other row; null where that cannot be. */
  addWithRow: ((payload: Payload) => Promise<unknown>) | null;
  /** Resolves when it looks for jobs. `latency`: for jobs that come one by one. Answers how to stop it. */
  work(concurrency: number, onJob: (payload: Payload) => void, latency: boolean): Promise<() => Promise<unknown>>;
  /** Takes all jobs away. */
  clear(): Promise<unknown>;
  close(): Promise<unknown>;
}

export const BATCH = 1_000;
/** What all have that keep a pool of connections. */
export const POOL = 10;

/** The row that a job is enqueued with. */
export const ROW_TABLE = "create table if not exists bench_rows (id text primary key, note text not null)";
export const NOTE = "a row that the job follows from";

export const inBatches = async (payloads: Payload[], add: (batch: Payload[]) => Promise<unknown>): Promise<void> => {
  for (let i = 0; i < payloads.length; i += BATCH) await add(payloads.slice(i, i + BATCH));
};
