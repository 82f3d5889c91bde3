/**
 * JavaScriptCore collects when 32 MB or more have been allocated since the last time, and gives hardly any of it back by itself: after a
 * load that left 144 MiB resident, all were still so seconds later, and 121 after a full collection. So a server that has nothing to do
 * collects once. It takes about 25 ms, in which nobody waits. `Bun.shrink` would give back 9 MiB more, and is not called: it throws all
 * compiled code away, and the next few seconds of load then take twice the CPU (115 instead of 63 µs for `/v1/me`) and three times the p99.
 */
const LOOK_MS = 1000;
/** A server with a request now and then does not collect after each of them. */
const REST_LOOKS = 5;

/** Counts requests: what it returns is called for each. */
export function givingMemoryBack(): () => void {
  let requests = 0;
  let seen = 0;
  let collected = 0;
  let rest = 0;
  const look = () => {
    rest--;
    if (requests === seen && requests !== collected && rest <= 0) {
      Bun.gc(true);
      collected = requests;
      rest = REST_LOOKS;
    }
    seen = requests;
  };
  setInterval(look, LOOK_MS).unref();
  return () => {
    requests++;
  };
}
