/**
 * Writes src/ports/db/cluster.tar.br: an empty PGlite cluster, so that a first start loads it instead of running initdb (0.5 s instead of
 * 4 s). Run it once for each PGlite version; tests/unit/cluster fails when the versions differ.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";
import { PGlite } from "@electric-sql/pglite";

const target = new URL("../src/ports/db/cluster.tar.br", import.meta.url);

const pglite = await PGlite.create();
await pglite.exec("checkpoint");
const tar = Buffer.from(await (await pglite.dumpDataDir("none")).arrayBuffer());
await pglite.close();
const packed = brotliCompressSync(tar, {
  params: {
    [constants.BROTLI_PARAM_LGWIN]: 24,
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_SIZE_HINT]: tar.length,
  },
});
writeFileSync(target, packed);
const { version } = JSON.parse(
  readFileSync(new URL("../node_modules/@electric-sql/pglite/package.json", import.meta.url), "utf8"),
);
writeFileSync(new URL("../src/ports/db/cluster.version", import.meta.url), `${version}\n`);
console.log(`cluster of PGlite ${version}: ${tar.length} bytes, packed ${packed.length}`);
