import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";

/** SHA-256 of a text's UTF-8, in 64 hexadecimal digits. For names and comparisons, a few at a time: it is not the runtime's own. */
export const sha256Hex = (text: string): string => bytesToHex(sha256(utf8ToBytes(text)));
