import { runSuiteOn } from "./run.ts";

runSuiteOn("workerd");
