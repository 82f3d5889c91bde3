/** The bus on Redis's PUBLISH and SUBSCRIBE. A connection that listens may not send, so there are two. */
import type { Log } from "../log/port.ts";
import type { Bus } from "./port.ts";
import { createRemoteBus, type LinkEvents, type RemoteTiming } from "./remote.ts";

/** What is used of a Redis client; ioredis fits. It must not reconnect, and hold commands back only until it is connected. */
export interface RedisChannel {
  subscribe(channel: string): Promise<unknown>;
  publish(channel: string, message: string): Promise<unknown>;
  ping(): Promise<unknown>;
  on(event: "message", listener: (channel: string, message: string) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "close", listener: () => void): unknown;
  disconnect(): void;
}

interface RedisBusOptions {
  /** Makes a client, which connects at once. */
  open: () => RedisChannel;
  channel: string;
  log: Log;
  timing?: RemoteTiming;
}

/** Redis takes more, but holds each payload once for every instance that is slow to read. */
const MAX_PAYLOAD = 65_536;

export const createRedisBus = ({ open, channel, ...rest }: RedisBusOptions): Bus =>
  createRemoteBus({
    name: "Redis",
    connect: (events) => connect(open, channel, events),
    maxPayload: MAX_PAYLOAD,
    ...rest,
  });

function connect(open: () => RedisChannel, channel: string, { payload, lost }: LinkEvents) {
  const [listens, sends] = [open(), open()];
  for (const client of [listens, sends]) {
    // One without a close after it is that of a database number which this Redis has not: the client goes on in another one.
    client.on("error", lost);
    client.on("close", () => lost(new Error("the connection was closed")));
  }
  listens.on("message", (_, text) => payload(text));
  return {
    opened: Promise.all([listens.subscribe(channel), sends.ping()]),
    send: (payloads: readonly string[]) => Promise.all(payloads.map((text) => sends.publish(channel, text))),
    ping: () => Promise.all([listens.ping(), sends.ping()]),
    close() {
      listens.disconnect();
      sends.disconnect();
    },
  };
}
