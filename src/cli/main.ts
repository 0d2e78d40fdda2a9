import { run } from './run.ts';
import { flushed, lasting } from './terminal/broken-pipe.ts';
import { terminalAsk } from './terminal/confirm.ts';
import { EXIT } from './terminal/exit-codes.ts';
import { interruptions } from './terminal/interruption.ts';

const out = lasting(process.stdout);
lasting(process.stderr);
const interrupted = interruptions();
const code = await run(process.argv.slice(2), {
  environment: process.env,
  out: process.stdout,
  err: process.stderr,
  ask: terminalAsk(),
  interrupted,
});
await flushed(process.stdout);
const failure = out.failure();
if (failure) process.stderr.write(`The output could not be written: ${failure}\n`);
await flushed(process.stderr);
// An abandoned request to a service that hangs must not keep the process alive.
process.exit(failure && code === EXIT.ok ? EXIT.incomplete : code);
