import { terminalAsk } from './confirm.ts';
import { run } from './run.ts';

const code = await run(process.argv.slice(2), {
  environment: process.env,
  out: process.stdout,
  err: process.stderr,
  ask: terminalAsk(),
});
// A request that nobody waits for any more, to something that hangs, must not keep the command from its end.
process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
