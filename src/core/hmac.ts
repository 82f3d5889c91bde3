/** HMAC-SHA-256 under a key. Of the runtime, because a library in JavaScript takes ten times as long, and Web Crypto an answer later. */
export type Hmac = (key: Uint8Array) => (text: string) => Uint8Array;
