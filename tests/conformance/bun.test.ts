import { runSuiteOn } from "./run.ts";

runSuiteOn("bun");
