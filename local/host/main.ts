import { parseArgs } from 'node:util';
import { startHost } from './host.ts';
import { describe } from './load-app.ts';
import { logLine } from './log.ts';

/**
 * The Functions host as a process: `node local/host/main.ts --app dist/app`, with the app settings in the environment
 * and `PORT` (default 7071). Prints `host ready http://127.0.0.1:PORT`, then one line for each log record.
 *
 * `LOCAL_HOST_QUEUE_LEASE_SECONDS` shortens the ten minutes in which a message stays hidden after the host that worked
 * on it was killed. With `LOCAL_HOST_TIMERS=off` another instance runs the timers.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { app: { type: 'string', default: 'dist/app' } } });
  const lease = process.env.LOCAL_HOST_QUEUE_LEASE_SECONDS;
  const host = await startHost({
    appDir: values.app,
    port: Number(process.env.PORT ?? 7071),
    env: process.env,
    log: (record) => process.stdout.write(`${logLine(record)}\n`),
    timers: process.env.LOCAL_HOST_TIMERS !== 'off',
    ...(lease === undefined ? {} : { queueLeaseMs: Number(lease) * 1000 }),
  });

  console.log(`host ready ${host.url}`);

  let asked = false;

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (asked) process.exit(1); // at the second signal exit at once
      asked = true;
      host.stop().then(() => process.exit(0));
    });
  }
}

// An unhandled rejection ends the process, as it ends the worker in Azure.
process.on('unhandledRejection', (error) => {
  process.stderr.write(`Worker uncaught exception: ${describe(error)}\n`);
  process.exit(1);
});

main().catch((error: unknown) => {
  const busy = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  process.stderr.write(
    busy ? `Port ${process.env.PORT ?? 7071} is busy: set PORT to a free one.\n` : `${describe(error)}\n`,
  );
  process.exit(1);
});
