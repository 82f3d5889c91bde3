import ipaddr from "ipaddr.js";

/**
 * The client's address. `X-Forwarded-For` is believed only as far as configured proxies wrote it: read from the right, the first address
 * that is not such a proxy is the client (RFC 7239, 8.1). Throws at start when a proxy is not an address or CIDR range.
 */
export function clientAddress(proxies: readonly string[]) {
  const trusted = proxies.map((proxy) => {
    if (proxy.includes("/")) return ipaddr.parseCIDR(proxy);
    const address = ipaddr.process(proxy);
    return [address, address.kind() === "ipv4" ? 32 : 128] as const;
  });
  const isTrusted = (text: string) => {
    if (!ipaddr.isValid(text)) return false;
    const address = ipaddr.process(text);
    return trusted.some(([range, bits]) => range.kind() === address.kind() && address.match(range as never, bits));
  };
  return (peer: string | null, forwardedFor: string | undefined): string | null => {
    if (trusted.length === 0 || forwardedFor === undefined || peer === null || !isTrusted(peer)) return peer;
    let client = peer;
    for (const hop of forwardedFor.split(",").reverse()) {
      const address = hop.trim();
      if (!ipaddr.isValid(address)) break;
      client = address;
      if (!isTrusted(address)) break;
    }
    return client;
  };
}
