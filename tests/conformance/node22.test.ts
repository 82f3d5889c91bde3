import { runSuiteOn } from "./run.ts";

runSuiteOn("node22");
