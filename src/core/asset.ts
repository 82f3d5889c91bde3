type Bytes = Uint8Array<ArrayBuffer>;

/** A file that is served: as it is, or compressed once for all by the build. */
export type Asset = ReadableStream | Bytes | { gzipped: Bytes };
