/**
 * JavaScriptCore collects when 32 MB or more have been allocated since the last time, and gives hardly any of it back by itself: after a
 * load that left 144 MiB resident, all were still so seconds later, and 105 after full collections. So a server that has nothing to do
 * collects. It takes about 25 ms, in which nobody waits. `Bun.shrink` would give back 9 MiB more, and is not called: it throws all
 * compiled code away, and the next seconds of load then take twice the CPU (115 instead of 63 µs for `/v1/me`) and three times the p99.
 */
const LOOK_MS = 1000;
/** So many looks without a request: by the second one, what is remembered of clients has been let go. */
const SOON = 1;
const LATER = 5;
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
    if (requests - collected < MIN_REQUESTS || (idle !== SOON && idle !== LATER)) return;
    Bun.gc(true);
    if (idle === LATER) collected = requests;
  };
  setInterval(look, LOOK_MS).unref();
  return () => {
    requests++;
  };
}
