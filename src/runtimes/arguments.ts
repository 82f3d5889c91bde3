import process from "node:process";

const HELP = `Hearth: the API, the jobs, or both, as ROLE says (all, api, worker).

It takes no arguments: everything is set by the environment, which .env.example lists, and by .env files.`;

/** What is given on the command line would otherwise be passed over in silence. */
export function refuseArguments(): void {
  const [given] = process.argv.slice(2);
  if (given === undefined) return;
  const isHelp = given === "--help" || given === "-h";
  if (isHelp) console.log(HELP);
  else console.error(`It takes no arguments, and was given "${given}": everything is set by the environment.`);
  process.exit(isHelp ? 0 : 1);
}
