/** The tree against the known answers of Certificate Transparency's reference tests, and against the recursive definition of RFC 9162. */
import { expect, test } from "bun:test";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import fc from "fast-check";
import {
  append,
  fits,
  inclusionPath,
  leafHash,
  nodeHash,
  noPeaks,
  rootFromPath,
  rootOf,
} from "../../src/modules/audit/tree.ts";

const inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const roots = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
// The inputs are ASCII, so that their text and their bytes are the same.
const leaves = inputs.map((hex) => leafHash(sha256, new TextDecoder().decode(hexToBytes(hex))));

test("an empty tree, and those of one to eight leaves, have the roots that are known", () => {
  expect(bytesToHex(rootOf(sha256, noPeaks))).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  roots.forEach((root, i) => {
    expect(bytesToHex(rootOf(sha256, append(sha256, noPeaks, leaves.slice(0, i + 1))))).toBe(root);
  });
});

/** MTH of RFC 9162, 2.1.1, as it is written there. */
function mth(list: readonly Uint8Array[]): Uint8Array {
  if (list.length === 1) return list[0] as Uint8Array;
  let k = 1;
  while (k * 2 < list.length) k *= 2;
  return nodeHash(sha256, mth(list.slice(0, k)), mth(list.slice(k)));
}

const leavesOf = (n: number) => Array.from({ length: n }, (_, i) => leafHash(sha256, `entry ${i} ü`));

test("however the leaves come, the root is that of the definition, and each new leaf can be proved and no other", () => {
  fc.assert(
    fc.property(fc.nat(70), fc.integer({ min: 1, max: 70 }), fc.nat(), (old, added, pick) => {
      const all = leavesOf(old + added);
      const before = append(sha256, noPeaks, all.slice(0, old));
      const after = append(sha256, before, all.slice(old));
      expect(fits(before)).toBe(true);
      expect(rootOf(sha256, after)).toEqual(mth(all));
      const position = old + (pick % added);
      const path = inclusionPath(sha256, before, all.slice(old), position);
      expect(rootFromPath(sha256, all[position] as Uint8Array, position, all.length, path)).toEqual(mth(all));
      const wrong = leafHash(sha256, "another");
      expect(rootFromPath(sha256, wrong, position, all.length, path)).not.toEqual(mth(all));
      expect(rootFromPath(sha256, wrong, position, all.length, [...path, wrong])).toBeNull();
    }),
    { numRuns: 200 },
  );
});

test("a leaf is hashed as UTF-8 behind a zero byte", () => {
  expect(leafHash(sha256, "ü€😀")).toEqual(sha256(new Uint8Array([0, ...new TextEncoder().encode("ü€😀")])));
});
