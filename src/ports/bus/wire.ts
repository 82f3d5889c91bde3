/**
 * How messages travel, on every driver: JSON of `[origin, number, topic, message, topic, message, …]`, as many as fit. The origin is the
 * instance, which leaves out its own; the number keeps apart what PostgreSQL would else drop as a repetition within one transaction.
 * A payload without messages says that some were lost.
 */

/** Of topic and message, as JSON. PostgreSQL takes payloads below 8000 bytes. */
const MAX_BYTES = 4096;

/** A topic and its message as JSON, without the brackets. */
export interface Packed {
  text: string;
  bytes: number;
}

/** The encoder takes 2.5 µs of each message on Node (24), and ids and keys do not need it. */
const PLAIN = /^[ -~]*$/;
const encoder = new TextEncoder();

/** JSON escapes what PostgreSQL's text cannot hold, at up to six bytes a unit. */
export function pack(topic: string, message: string): Packed {
  const text = `${JSON.stringify(topic)},${JSON.stringify(message)}`;
  const bytes = PLAIN.test(text) ? text.length : encoder.encode(text).length;
  if (bytes > MAX_BYTES) throw new RangeError(`a message of ${topic} takes ${bytes} bytes, and the bus ${MAX_BYTES}`);
  return { text, bytes };
}

export interface Writer {
  /** Payloads of at most `maxBytes` that carry the messages in their order. */
  payloads(messages: readonly Packed[]): string[];
  /** A payload that says that messages were lost. */
  lost(): string;
}

export function createWriter(origin: string, maxBytes: number): Writer {
  let number = 0;
  const head = () => `[${JSON.stringify(origin)},${number++}`;
  return {
    payloads(messages) {
      const whole: string[] = [];
      let text = head();
      let bytes = text.length;
      for (const message of messages) {
        if (bytes + message.bytes + 2 > maxBytes) {
          whole.push(`${text}]`);
          text = head();
          bytes = text.length;
        }
        text += `,${message.text}`;
        bytes += message.bytes + 1;
      }
      return [...whole, `${text}]`];
    },
    lost: () => `${head()}]`,
  };
}

/** Null for what is not of this form: the channel is open to whoever may use the database or Redis. */
export function read(payload: string): { origin: string; messages: string[] } | null {
  try {
    const [origin, , ...messages] = JSON.parse(payload) as unknown[];
    const fits =
      typeof origin === "string" && messages.length % 2 === 0 && messages.every((m) => typeof m === "string");
    return fits ? { origin, messages: messages as string[] } : null;
  } catch {
    return null;
  }
}
