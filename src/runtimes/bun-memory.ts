/**
 * JavaScriptCore collects when 32 MB or more have been allocated since the last time, and gives hardly any of it back by itself: after a
 * load that left 144 MiB resident, all were still so seconds later, and 105 after a full collection. So a server that has nothing to do
 * collects. It takes about 25 ms, in which nobody waits. `Bun.shrink` would give back 9 MiB more, and is not called: it throws all
 * compiled code away, and the next seconds of load then take twice the CPU (115 instead of 63 µs for `/v1/me`) and three times the p99.
 */
const LOOK_MS = 1000;
/**
 * So many looks without a request. By then what is remembered of clients has been let go; and a full collection lets go of compiled code that
 * is older than some seconds and not running, which a shorter pause should not cost.
 */
const IDLE_LOOKS = 4;
/** Fewer requests leave nothing that is worth it. */
const MIN_REQUESTS = 1000;

/** Counts requests: what it returns is called for each. */
export function givingMemoryBack(): () => void {
  let requests = 0;
  let seen = 0;
  let collected = 0;
  let idle = 0;
  const look = () => {
    idle = requests === seen ? idle + 1 : 0;
    seen = requests;
    if (idle !== IDLE_LOOKS || requests - collected < MIN_REQUESTS) return;
    Bun.gc(true);
    collected = requests;
  };
  setInterval(look, LOOK_MS).unref();
  return () => {
    requests++;
  };
}
