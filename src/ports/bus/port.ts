/**
 * The bus: short messages between the instances of a service, each of which hears all of them. It is the quick way to learn something
 * and never the only one: whoever listens has a bound in time as well.
 *
 * - A message names what has changed, by ids and keys; what it has become is asked of the store that holds it.
 * - `publish` is best effort. It tells this instance's own subscribers before it returns, and the others as soon as it can. Messages of one
 *   instance arrive in the order in which it published them. While the connection is down they are kept, up to 1 MiB, and sent afterwards;
 *   after an outage a message may arrive twice, and where some were lost the others are told that they have `missed` something.
 * - A topic is named once, in the module that owns it.
 */
import type { Notice } from "../db/port.ts";

export interface Bus {
  /** Never fails for the connection's sake. Throws a RangeError when topic and message together, written as JSON, exceed 4 KiB. */
  publish(topic: string, message: string): void;
  /** Returns how to stop listening. */
  subscribe(topic: string, listener: BusListener): () => void;
  /**
   * A message as a notice of the database that the bus is on, for a commit of that database to tell; it may pass what is published. This
   * instance's own subscribers do not hear it. null where the bus is on none, or is not connected: then it is to be published.
   */
  notice(topic: string, message: string): Notice | null;
  /** Resolves when messages of others arrive here for the first time, and when the bus is closed. */
  ready(): Promise<void>;
  /** Sends what waits, for a second at most, and gives the connections back. Nothing is heard or sent afterwards. */
  close(): Promise<void>;
}

/** What it throws is logged, and concerns nobody else. */
export interface BusListener {
  message(text: string): void;
  /**
   * Messages may have been lost: forget what is remembered on the strength of them. It is told when a connection begins, after an outage
   * and at the start too.
   */
  missed(): void;
}

export type BusDriver = "memory" | "postgres" | "redis";

/** What a driver cannot do, as data. */
export interface BusCapabilities {
  /** Instances hear each other. Without it each hears itself alone (on Workers: each isolate), and the bound in time is what holds. */
  shared: boolean;
}

export const busCapabilities: Record<BusDriver, BusCapabilities> = {
  memory: { shared: false },
  postgres: { shared: true },
  redis: { shared: true },
};
