/** The bus of one process, or of one isolate on Workers. */
import type { Log } from "../log/port.ts";
import type { Bus } from "./port.ts";
import { createSubscribers } from "./subscribers.ts";
import { pack } from "./wire.ts";

export function createMemoryBus({ log }: { log: Log }): Bus {
  const { subscribe, tell, clear } = createSubscribers(log);
  return {
    publish(topic, message) {
      // Only for what it refuses: a message is refused here as it would be in production.
      pack(topic, message);
      tell(topic, message);
    },
    subscribe,
    notice: () => null,
    async ready() {},
    async close() {
      clear();
    },
  };
}
