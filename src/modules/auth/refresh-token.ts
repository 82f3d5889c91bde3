import { base64url } from "jose";

/** 256 random bits: nothing to guess, so a fast hash is enough to store it. */
export const newRefreshToken = (): string => `rt_${base64url.encode(crypto.getRandomValues(new Uint8Array(32)))}`;

export const hashToken = async (token: string): Promise<string> =>
  base64url.encode(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token))));
