import { cronCases } from "./cron.ts";

export default {
  async fetch(): Promise<Response> {
    const results = cronCases.map(({ name, run }): [string, string | null] => {
      try {
        run();
        return [name, null];
      } catch (error) {
        return [name, String((error as Error).stack)];
      }
    });
    return Response.json(Object.fromEntries(results));
  },
};
