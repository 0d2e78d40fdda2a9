import { run } from './run.ts';
import { keepWriting, waitUntilFlushed } from './terminal/broken-pipe.ts';
import { createTerminalAsk } from './terminal/confirm.ts';
import { EXIT } from './terminal/exit-codes.ts';
import { listenForInterruptions } from './terminal/interruption.ts';

const out = keepWriting(process.stdout);
keepWriting(process.stderr);
const interrupted = listenForInterruptions();
const code = await run(process.argv.slice(2), {
  environment: process.env,
  out: process.stdout,
  err: process.stderr,
  ask: createTerminalAsk(),
  interrupted,
});
await waitUntilFlushed(process.stdout);
const failure = out.failure();
if (failure) process.stderr.write(`The output could not be written: ${failure}\n`);
await waitUntilFlushed(process.stderr);
// An abandoned request to a service that hangs must not keep the process alive.
process.exit(failure && code === EXIT.ok ? EXIT.incomplete : code);
