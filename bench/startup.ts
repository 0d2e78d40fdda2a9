import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { bundle } from '../scripts/bundle.ts';
import { loadInWorker } from './worker.ts';

const PROJECT = dirname(dirname(fileURLToPath(import.meta.url)));

const USAGE = `node bench/startup.ts [--runs 21] [--worker <folder>]

How long the app takes to load, in three forms: unbundled (every file and package apart), as one bundle, and as one bundle
with the code cache of V8 (made on the Node of production alone). Each run is a process of its own with a stand-in for the language worker; the forms take turns, so
that what else the machine does meets all of them. Medians, and ratios to unbundled; ends with 1 when a promise is not kept.

--worker  a language worker of Azure Functions in the place of the stand-in: its folder, with worker.config.json, as in the
          Azure Functions Core Tools (workers/node). Measured from the host's order to become the app to the answer.`;

const MOST_BUNDLED = 0.42;
const MOST_CACHED = 0.3;
const MOST_BYTES = 4_500_000;

/** Where each form is, below the folder of a run. */
const FOLDERS = { unbundled: 'unbundled', bundled: 'plain', cached: 'cached' } as const;

/** What the language worker does: answers the request for its own module, and requires the entry point. Prints the time. */
const LOADER = `
const Module = require('node:module');
const disposable = () => ({ dispose() {} });
let functions = 0;
const core = {
  version: '0', hostVersion: '0', setProgrammingModel() {}, log() {}, registerHook: disposable,
  registerFunction() { functions++; return disposable(); },
};
const original = Module.prototype.require;
// An ES module's default export takes the place of the module, as an import of it has it.
const ofImport = (got) => (typeof got?.default === 'function' ? Object.assign((...args) => got.default(...args), got) : got);
Module.prototype.require = function (id) { return id === '@azure/functions-core' ? core : ofImport(original.call(this, id)); };
const start = performance.now();
require(process.argv[2]);
process.stdout.write(JSON.stringify({ ms: performance.now() - start, functions }));
process.exit(0);
`;

/** Every source as a CommonJS file of its own, beside the packages as they are installed. */
async function unbundled(folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true });

  await build({
    absWorkingDir: PROJECT,
    // The command line is no part of the app, and cannot be CommonJS.
    entryPoints: globSync('src/**/*.ts', { cwd: PROJECT }).filter((file) => !file.startsWith('src/cli/')),
    outdir: join(folder, 'src'),
    outbase: 'src',
    format: 'cjs',
    platform: 'node',
    target: 'node22',
    // As in the bundle: CommonJS has no import.meta.
    define: { 'import.meta.dirname': '__dirname' },
    bundle: true,
    plugins: [
      {
        name: 'apart',
        setup(plugin) {
          plugin.onResolve({ filter: /.*/ }, ({ path, kind }) =>
            kind === 'entry-point' ? undefined : { path: path.replace(/^(\..*)\.ts$/, '$1.js'), external: true },
          );
        },
      },
    ],
  });

  symlinkSync(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'package.json'), '{"main":"src/functions/main.js"}');

  return join(folder, 'src/functions/main.js');
}

function load(loader: string, entry: string): number {
  const said = execFileSync(process.execPath, [loader, entry], {
    env: {},
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const { ms, functions } = JSON.parse(said) as { ms: number; functions: number };
  if (functions === 0) throw new Error(`${entry} registers no function.`);
  return ms;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { runs: { type: 'string', default: '21' }, worker: { type: 'string' }, help: { type: 'boolean' } },
  });
  const runs = Number(values.runs);
  if (values.help || !(runs >= 1)) {
    console.log(USAGE);
    return values.help ? 0 : 2;
  }

  const folder = mkdtempSync(join(tmpdir(), 'cmk-startup-'));
  try {
    const made = await bundle({ outDir: join(folder, 'cached'), zip: false });

    cpSync(made.folder, join(folder, 'plain'), { recursive: true });
    rmSync(join(folder, 'plain/main.cache'), { force: true });

    const loader = join(folder, 'load.cjs');

    writeFileSync(loader, LOADER);

    const hasCache = existsSync(join(folder, 'cached/main.cache'));

    const forms: Record<keyof typeof FOLDERS, string> = {
      unbundled: await unbundled(join(folder, 'unbundled')),
      bundled: join(folder, 'plain/start.cjs'),
      cached: join(folder, 'cached/start.cjs'),
    };

    const times: Record<keyof typeof FOLDERS, number[]> = { unbundled: [], bundled: [], cached: [] };
    const names = (Object.keys(forms) as (keyof typeof FOLDERS)[]).filter((name) => name !== 'cached' || hasCache);
    const { worker } = values;
    const measure = async (name: keyof typeof forms): Promise<number> =>
      worker === undefined ? load(loader, forms[name]) : loadInWorker(resolve(worker), join(folder, FOLDERS[name]));

    for (const name of names) await measure(name); // into the page cache
    for (let run = 0; run < runs; run++) {
      for (const name of names) times[name].push(await measure(name));
    }

    const base = median(times.unbundled);
    const show = (label: string, ms: number) =>
      console.log(`  ${label.padEnd(48)}${ms.toFixed(0).padStart(5)} ms  ${(ms / base).toFixed(2)}`);

    console.log(
      `Loading the app in ${worker ?? 'a stand-in for the language worker'}, medians of ${runs}, and ratio to unbundled (Node ${process.versions.node})`,
    );
    show('unbundled', base);
    show(`bundle (promised: ${MOST_BUNDLED} at most)`, median(times.bundled));

    if (hasCache) show(`bundle with code cache (promised: ${MOST_CACHED} at most)`, median(times.cached));

    console.log(`  main.cjs: ${(made.size / 1e6).toFixed(2)} MB (promised: ${MOST_BYTES / 1e6} at most)`);

    const isCachedFast = !hasCache || median(times.cached) / base <= MOST_CACHED;
    const kept = median(times.bundled) / base <= MOST_BUNDLED && isCachedFast;

    return kept && made.size <= MOST_BYTES ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
