import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Ended, endAsked } from '../local/run/end-asked.ts';
import { startLocalRun } from '../local/run/local-run.ts';
import { bundle } from './bundle.ts';

const USAGE = `npm start [-- options]: the app, its Functions host and a local Azure with a sample fleet.

  --once      end after the tour; exit code 0 only if every step held
  --no-tour   only start, and stay up

PORT       port of the Functions host (default 7071; 0: any free one)
LOCAL_DIR  folder of the environment file, certificates and logs (default .local); one run at a time uses it
CMK_…      app settings that differ from the local defaults
OTEL_…     where traces and metrics go: OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318`;

class UsageError extends Error {}

function readOptions(args: string[]): { once: boolean; tour: boolean; help: boolean } {
  try {
    const { values } = parseArgs({
      args,
      options: {
        once: { type: 'boolean', default: false },
        'no-tour': { type: 'boolean', default: false },
        help: { type: 'boolean', default: false, short: 'h' },
      },
    });
    if (values.once && values['no-tour']) throw new Error('--once ends after the tour, so it needs one.');
    return { once: values.once, tour: !values['no-tour'], help: values.help };
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${USAGE}`);
  }
}

async function main(args: string[]): Promise<number> {
  const options = readOptions(args);
  if (options.help) {
    console.log(USAGE);
    return 0;
  }

  const signal = endAsked();
  const run = await startLocalRun({
    stateDir: process.env.LOCAL_DIR ?? '.local',
    port: Number(process.env.PORT ?? 7071),
    env: process.env,
    signal,
    bundleApp: (outDir) => bundle({ outDir, zip: false }),
    tourModule: fileURLToPath(new URL('../tour/main.ts', import.meta.url)),
  });

  const ended = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  let last: string | undefined;
  let code = 0;
  try {
    console.log(`ready ${run.url}`);
    console.log(`for other clients: source ${relative(process.cwd(), run.envFile)}`);

    if (options.tour) {
      const { steps, ok } = await Promise.race([run.tour(), run.failed, ended]);
      last = `tour: ${steps} steps, ${ok} ok`;
      code = steps > 0 && ok === steps ? 0 : 1;
    }

    if (!options.once) {
      if (last !== undefined) console.log(last);
      last = undefined;
      await Promise.race([run.failed, ended]);
    }
  } finally {
    await run.stop();
    if (last !== undefined) console.log(last); // the last line, when everything has gone
  }

  return code;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) process.exitCode = 2;
  else if (!(error instanceof Ended)) process.exitCode = 1;
  if (!(error instanceof Ended)) console.error(error instanceof Error ? error.message : error);
}
// Whatever might still hold the event loop, such as esbuild's service, has nothing more to do.
process.exit();
