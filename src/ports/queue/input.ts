/** The stored input of a job, as the handler of today takes it. */
import type { JobType } from "./define.ts";
import { faultsOf } from "./payload.ts";
import type { ClaimedJob } from "./port.ts";
import { faultOf } from "./thrown.ts";

/** Migrated and parsed, or why it cannot be. It does not throw. */
export function readInput(type: JobType, job: ClaimedJob): { input: unknown } | { fault: string } {
  const { inputVersion: version } = job;
  if (version > type.version)
    return { fault: `It was enqueued with version ${version} of its input, and this process knows ${type.version}.` };
  let input = job.input;
  if (version < type.version) {
    try {
      input = type.migrate?.(input, version);
    } catch (error) {
      return {
        fault: `Its input of version ${version} could not be migrated to ${type.version}: ${faultOf(error).message}`,
      };
    }
  }
  const which = version < type.version ? `Its input, migrated from version ${version},` : "Its input";
  try {
    const parsed = type.input.safeParse(input);
    return parsed.success
      ? { input: parsed.data }
      : { fault: `${which} is not as declared: ${faultsOf(parsed.error)}.` };
  } catch (error) {
    return { fault: `${which} could not be read: ${faultOf(error).message}` };
  }
}
