/**
 * What the drivers with a server have in common: own messages are told at once, others' are read from the link, and a link that is lost
 * is replaced. The clients' own reconnection is not used: they do not tell when it has happened (postgres.js), or that it will not.
 *
 * One send is under way at a time, and what is published meanwhile is collected: a message goes out at once while the bus is idle, and
 * a burst costs few round trips. A network that swallows everything closes no connection, so a silent link is asked for a sign of life.
 */
import { unref } from "../../core/clock.ts";
import { withTimeout } from "../../core/timeout.ts";
import type { Log } from "../log/port.ts";
import type { Bus } from "./port.ts";
import { createSubscribers } from "./subscribers.ts";
import { createWriter, type Packed, pack, read } from "./wire.ts";

/** A connection that hears the channel from `opened` on, and that does not mend itself. */
export interface Link {
  opened: Promise<unknown>;
  send(payloads: readonly string[]): Promise<unknown>;
  ping(): Promise<unknown>;
  /** Does not fail. */
  close(): void;
}

export interface LinkEvents {
  payload(text: string): void;
  lost(error: Error): void;
}

export interface RemoteTiming {
  /** How often a link is asked for a sign of life. */
  pingMs: number;
  /** How long an answer is waited for. */
  patienceMs: number;
}

interface RemoteOptions {
  name: string;
  log: Log;
  connect: (events: LinkEvents) => Link;
  /** In bytes. */
  maxPayload: number;
  /** Where the messages are notices of PostgreSQL: of which channel. */
  noticeChannel?: string;
  timing?: RemoteTiming;
  /** What the first connection waits for. */
  after?: Promise<unknown> | undefined;
}

const TIMING: RemoteTiming = { pingMs: 5000, patienceMs: 3000 };
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2000;
const MAX_WAITING_BYTES = 1_048_576;
const CLOSE_MS = 1000;
/** With one pulse between, an echo has had at least that long. */
const DEAF = 3;

export function createRemoteBus({
  name,
  log,
  connect,
  maxPayload,
  noticeChannel,
  timing = TIMING,
  after,
}: RemoteOptions): Bus {
  const origin = crypto.randomUUID();
  const writer = createWriter(origin, maxPayload);
  const { subscribe, tell, tellMissed, clear } = createSubscribers(log);
  const first = Promise.withResolvers<void>();
  let link: Link | null = null;
  let up = false;
  let closed = false;
  /** Attempts since the last link that worked. */
  let attempts = 0;
  let retry: ReturnType<typeof setTimeout> | undefined;

  let waiting: Packed[] = [];
  let waitingBytes = 0;
  let hasLost = false;
  let sending: Promise<void> | null = null;
  /** Of what was sent none has come back yet: since how many pulses, from 1; 0 where there is nothing to wait for. */
  let unheard = 0;

  function open() {
    if (closed) return;
    const mine = connect({
      payload: (text) => mine === link && hear(text),
      lost: (error) => drop(mine, error),
    });
    link = mine;
    withTimeout(mine.opened, timing.patienceMs).then(
      () => mine === link && begin(),
      (error) => drop(mine, error),
    );
  }

  function begin() {
    if (attempts > 0) log.info({}, `the bus on ${name} is connected again`);
    attempts = 0;
    up = true;
    unheard = 0;
    first.resolve();
    tellMissed();
    flush();
  }

  function drop(which: Link, err: Error) {
    if (which !== link) return;
    link = null;
    up = false;
    which.close();
    if (closed) return;
    if (attempts === 0) log.warn({ err }, `the bus on ${name} is not connected: other instances are heard late`);
    // Spread by half, so that the instances of a service do not come back all at once.
    const delay = Math.min(FIRST_RETRY_MS * 2 ** attempts++, LAST_RETRY_MS) * (0.5 + Math.random() / 2);
    retry = unref(setTimeout(open, delay));
  }

  function hear(payload: string) {
    const heard = read(payload);
    if (!heard) return;
    if (heard.origin === origin) {
      unheard = 0;
      return;
    }
    const { messages } = heard;
    if (messages.length === 0) tellMissed();
    for (let i = 0; i < messages.length; i += 2) tell(messages[i] as string, messages[i + 1] as string);
  }

  function flush() {
    sending ??= Promise.resolve().then(sendAll);
  }

  async function sendAll() {
    while (up && link && (waiting.length > 0 || hasLost)) {
      const [mine, batch, lost] = [link, waiting, hasLost];
      [waiting, waitingBytes, hasLost] = [[], 0, false];
      const payloads = [...(lost ? [writer.lost()] : []), ...(batch.length > 0 ? writer.payloads(batch) : [])];
      unheard ||= 1;
      try {
        await withTimeout(mine.send(payloads), timing.patienceMs);
      } catch (error) {
        // It may have arrived all the same: a message twice does no harm, a message that is lost may.
        hasLost ||= lost;
        const since = waiting;
        [waiting, waitingBytes] = [[], 0];
        for (const message of [...batch, ...since]) wait(message);
        drop(mine, error as Error);
      }
    }
    // In the same step as the last look at what waits, or a message that is published between the two would wait for the next one.
    sending = null;
  }

  function wait(message: Packed) {
    if (waitingBytes + message.bytes > MAX_WAITING_BYTES) {
      hasLost = true;
      [waiting, waitingBytes] = [[], 0];
    }
    waiting.push(message);
    waitingBytes += message.bytes;
  }

  const pulse = unref(
    setInterval(() => {
      const mine = link;
      // Messages arrive at a deaf instance no more than their echoes do: behind a pooler that forgets who listens, for one.
      if (up && unheard > 0 && ++unheard === DEAF)
        log.warn({}, `the bus on ${name} hears nothing of what it sends: other instances are heard late, if at all`);
      if (mine && up) withTimeout(mine.ping(), timing.patienceMs).catch((error) => drop(mine, error));
    }, timing.pingMs),
  );
  if (after) void after.then(open);
  else open();

  return {
    publish(topic, message) {
      const packed = pack(topic, message);
      if (closed) return;
      wait(packed);
      if (up) flush();
      tell(topic, message);
    },
    subscribe,
    notice(topic, message) {
      if (!up || noticeChannel === undefined) return null;
      const [payload = ""] = writer.payloads([pack(topic, message)]);
      return { channel: noticeChannel, payload };
    },
    ready: () => first.promise,
    async close() {
      if (closed) return;
      closed = true;
      clearInterval(pulse);
      clearTimeout(retry);
      clear();
      // A command can be done before its bus is connected.
      if (waiting.length > 0 && !up && attempts === 0) await withTimeout(first.promise, CLOSE_MS).catch(() => {});
      if (sending) await withTimeout(sending, CLOSE_MS).catch(() => {});
      const last = link;
      link = null;
      up = false;
      last?.close();
      first.resolve();
    },
  };
}
