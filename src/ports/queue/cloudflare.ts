/**
 * Ids of due jobs, carried by Cloudflare Queues. The platform hands them to the Worker's `queue()` and brings one again that was not taken;
 * it knows no priorities and no duplicates, and its order is only a rough one.
 */
import { unavailable } from "../../core/error.ts";
import type { Carrier } from "./port.ts";

/** What is used of a queue binding. */
export interface QueueBinding {
  sendBatch(messages: readonly { body: string; contentType: "text" }[]): Promise<unknown>;
}

/** What `queue()` is given. */
export interface QueueBatch {
  readonly messages: readonly QueueMessage[];
}

export interface QueueMessage {
  readonly body: unknown;
  ack(): void;
  /** It comes again, after so long. */
  retry(options: { delaySeconds: number }): void;
}

/** The platform takes 100 messages and 256 KB at once; an id has 30 bytes. */
const BATCH = 100;
/** Each copy is paid for. */
const RESEND_MS = 5 * 60_000;

export function createCloudflareCarrier(queue: QueueBinding): Carrier {
  return {
    resendMs: RESEND_MS,
    async send(jobs) {
      for (let i = 0; i < jobs.length; i += BATCH) {
        const messages = jobs.slice(i, i + BATCH).map(({ id }) => ({ body: id, contentType: "text" }) as const);
        await queue.sendBatch(messages).catch((error) => {
          throw unavailable("The queue did not take the jobs.", error);
        });
      }
    },
    async close() {},
  };
}
