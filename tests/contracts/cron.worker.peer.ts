import { outcomes } from "../helpers/peer.ts";
import { cronCases } from "./cron.ts";

export default {
  async fetch(): Promise<Response> {
    return Response.json(await outcomes(cronCases, ({ run }) => run()));
  },
};
