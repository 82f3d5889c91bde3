/** Who listens in this instance. Every driver delivers through it. */
import type { Log } from "../log/port.ts";
import type { Bus, BusListener } from "./port.ts";

interface Subscribers {
  subscribe: Bus["subscribe"];
  tell(topic: string, message: string): void;
  tellMissed(): void;
  clear(): void;
}

export function createSubscribers(log: Log): Subscribers {
  const topics = new Map<string, Set<{ listener: BusListener }>>();

  function each(topic: string, act: (listener: BusListener) => void) {
    for (const { listener } of topics.get(topic) ?? []) {
      try {
        act(listener);
      } catch (err) {
        log.error({ err, topic }, "a listener of the bus failed");
      }
    }
  }

  return {
    subscribe(topic, listener) {
      const entry = { listener };
      const entries = topics.get(topic) ?? new Set();
      topics.set(topic, entries.add(entry));
      return () => void entries.delete(entry);
    },
    tell: (topic, message) => each(topic, (listener) => listener.message(message)),
    tellMissed() {
      for (const topic of topics.keys()) each(topic, (listener) => listener.missed());
    },
    clear: () => topics.clear(),
  };
}
