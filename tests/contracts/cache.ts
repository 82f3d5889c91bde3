/** What every form of the cache does, under whatever runtime: named cases that throw, and know no test runner. */
import { changeCases } from "./cache.changes.ts";
import { loadCases } from "./cache.loads.ts";
import { valueCases } from "./cache.values.ts";
import type { CacheCase } from "./cache.world.ts";

export const cacheCases: readonly CacheCase[] = [...valueCases, ...loadCases, ...changeCases];
