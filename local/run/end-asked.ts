import { execFile } from 'node:child_process';

/** The reason of {@link endAsked}'s abort. */
export class Ended extends Error {
  override readonly name = 'Ended';
}

/**
 * Aborts at Ctrl-C, SIGTERM or a closed terminal, and when the parent process ends, so that a killed `npm start` leaves
 * no process behind.
 */
export function endAsked(): AbortSignal {
  const controller = new AbortController();
  const end = (why: string) => {
    if (controller.signal.aborted && why === 'SIGINT') process.stderr.write('Still stopping …\n');
    controller.abort(new Ended(why));
  };

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end(signal));

  const parent = process.ppid;
  let npm: number | undefined;

  // npm runs scripts in a shell that outlives it.
  if (process.env.npm_lifecycle_event !== undefined) {
    execFile('ps', ['-o', 'ppid=', '-p', String(parent)], (error, stdout) => {
      if (!error && Number(stdout) > 1) npm = Number(stdout);
    });
  }

  const watch = setInterval(() => {
    if (process.ppid !== parent || (npm !== undefined && !isAlive(npm))) {
      clearInterval(watch);
      end('the process that started this one has gone');
    }
  }, 1_000);

  watch.unref();

  return controller.signal;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
