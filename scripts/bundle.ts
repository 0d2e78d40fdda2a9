import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type BuildOptions, build, type Metafile } from 'esbuild';
import { type Zippable, zipSync } from 'fflate';
import { apart, leaveOut } from './bundle/leave-out.ts';
import { notices } from './bundle/notices.ts';
import { bundlePage } from './bundle/page.ts';
import { contentsOf } from './bundle/report.ts';

const PROJECT = dirname(dirname(fileURLToPath(import.meta.url)));

/** The files of a deployed app, in the order in which the zip holds them; those of the page, in `page/`, follow. */
export const BUNDLE_FILES = [
  'LICENSE',
  'THIRD-PARTY-NOTICES',
  'host.json',
  'main.cache',
  'main.cjs',
  'main.cjs.map',
  'package.json',
  'start.cjs',
  'telemetry.cjs',
] as const;

/** What is loaded later, and only where it is wanted. */
const TELEMETRY = 'src/telemetry/open-telemetry-client.ts';

/** The oldest Node that `infra/` deploys: the syntax of the bundle is limited to it. */
const OLDEST_NODE = 'node22';

interface Manifest {
  readonly name: string;
  readonly version: string;
  /** `node` is the one place where the version of production stands. */
  readonly devDependencies: { readonly node: string };
}

export interface BundleOptions {
  /** The module that registers every function. Default: the app's `src/functions/main.ts`. */
  readonly entry?: string;
  /** Emptied first. Default: `dist/app`. */
  readonly outDir?: string;
  /** Default: the project's `host.json`. */
  readonly hostJson?: string;
  /** Whether to put V8's code cache beside it, made by this Node. Default: of the app, if it is the Node of production. */
  readonly codeCache?: boolean;
  /** V8 options of the app's process: a code cache made with other options does not fit. */
  readonly v8Options?: readonly string[];
  /** Where to write the zip that Azure deploys; `false` writes none. Default: `<outDir>.zip`. */
  readonly zip?: string | false;
}

export interface Bundle {
  readonly folder: string;
  /** Bytes of `main.cjs`. */
  readonly size: number;
  readonly zip: string | undefined;
  /** Bytes of the zip. */
  readonly zipSize: number | undefined;
  readonly metafile: Metafile;
  /** Bytes of the page that a browser loads, compressed; undefined: no page. */
  readonly pageSize: number | undefined;
}

/**
 * Makes the deployable app: one CommonJS file that needs no `node_modules`, the fastest form to start of those measured; what
 * sends traces and metrics is a file of its own, which is read only where they are sent.
 *
 * @throws when esbuild finds an error, or warns: a warning here is code that would fail in Azure.
 */
export async function bundle(options: BundleOptions = {}): Promise<Bundle> {
  const outDir = options.outDir ?? join(PROJECT, 'dist/app');
  const project = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8')) as Manifest;

  await rm(outDir, { recursive: true, force: true });
  await mkdir(outDir, { recursive: true });

  const metafile = await buildFile(outDir, {
    entryPoints: [options.entry ?? join(PROJECT, 'src/functions/main.ts')],
    // Where the paths in the source map start, wherever the files are written: the same sources make the same bytes.
    outfile: join(PROJECT, 'dist/app/main.cjs'),
    plugins: [apart(TELEMETRY, './telemetry.cjs'), leaveOut(PROJECT)],
    // Beside it are the files of the page.
    define: { 'import.meta.dirname': '__dirname' },
    sourcemap: 'linked',
    // Stack traces need positions only; the text of the dependencies would make the map twice the size of the code.
    sourcesContent: false,
  });

  const telemetry = await buildFile(outDir, {
    entryPoints: [join(PROJECT, TELEMETRY)],
    outfile: join(PROJECT, 'dist/app/telemetry.cjs'),
    plugins: [leaveOut(PROJECT)],
  });

  await copyFile(options.hostJson ?? join(PROJECT, 'host.json'), join(outDir, 'host.json'));

  const manifest = { name: project.name, version: project.version, private: true, main: 'start.cjs' };

  await writeFile(join(outDir, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);

  await copyFile(join(PROJECT, 'scripts/bundle/start.cjs'), join(outDir, 'start.cjs'));

  // V8 takes a code cache only of its own version.
  const isProductionNode = process.versions.node.split('.')[0] === project.devDependencies.node.split('.')[0];
  if (options.codeCache ?? (options.entry === undefined && isProductionNode)) {
    const command = [...(options.v8Options ?? []), join(PROJECT, 'scripts/bundle/code-cache.cjs'), outDir];
    execFileSync(process.execPath, command, { env: {} });
  }

  const page = options.entry === undefined ? await bundlePage(PROJECT, join(outDir, 'page')) : undefined;
  const made = [metafile, telemetry, ...(page ? [page.metafile] : [])];

  await copyFile(join(PROJECT, 'LICENSE'), join(outDir, 'LICENSE'));
  await writeFile(join(outDir, 'THIRD-PARTY-NOTICES'), await notices(PROJECT, 'The app and its page hold', made));

  const zip = options.zip === false ? undefined : (options.zip ?? `${outDir}.zip`);
  const { size } = await stat(join(outDir, 'main.cjs'));
  const zipSize = zip === undefined ? undefined : await writeZip(outDir, zip);

  return { folder: outDir, size, zip, zipSize, metafile, pageSize: page?.size };
}

/** One file of the app, written into the folder with what belongs to it. */
async function buildFile(outDir: string, options: BuildOptions): Promise<Metafile> {
  const result = await build({
    absWorkingDir: PROJECT,
    write: false,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: OLDEST_NODE,
    // ES modules where a package has both: of CommonJS, what is not used cannot be told from what is.
    mainFields: ['module', 'main'],
    // Shorter and faster to compile. Names stay as they are written, so that a stack trace can be read, and lines short, as
    // Node prints the one that threw.
    minifySyntax: true,
    minifyWhitespace: true,
    lineLimit: 160,
    metafile: true,
    // The host supplies it; bundled, no function would register.
    external: ['@azure/functions-core'],
    logLevel: 'silent',
    ...options,
  });

  if (result.warnings.length > 0) {
    const lines = result.warnings.map(({ location, text }) =>
      location ? `${location.file}:${location.line}: ${text}` : text,
    );
    throw new Error(`esbuild warns about the bundle:\n${lines.join('\n')}`);
  }

  for (const file of result.outputFiles ?? []) await writeFile(join(outDir, basename(file.path)), file.contents);

  if (!result.metafile) throw new Error('esbuild does not say what is in the bundle.');

  return result.metafile;
}

/** The files of a folder that are deployed, in the order in which the zip holds them. */
export async function filesIn(folder: string): Promise<string[]> {
  const page = existsSync(join(folder, 'page')) ? (await readdir(join(folder, 'page'))).sort() : [];
  return [...BUNDLE_FILES.filter((name) => existsSync(join(folder, name))), ...page.map((name) => `page/${name}`)];
}

/** The same files give the same bytes, so that a deployment can be compared with a build. */
async function writeZip(folder: string, path: string): Promise<number> {
  const entries: Zippable = {};

  for (const name of await filesIn(folder)) {
    entries[name] = [
      new Uint8Array(await readFile(join(folder, name))),
      // fflate writes local time, as the format asks: 1980-01-01 in whatever zone is the same bytes. Unix, rw-r--r--.
      { level: 9, mtime: new Date(1980, 0, 1), os: 3, attrs: 0o100644 << 16 },
    ];
  }

  const bytes = zipSync(entries);

  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);

  return bytes.length;
}

const kib = (bytes: number): string => (bytes / 1024).toFixed(0);

if (import.meta.main) {
  const { values } = parseArgs({ options: { report: { type: 'boolean', default: false } } });
  const made = await bundle();
  if (values.report) {
    for (const { name, bytes } of contentsOf(made.metafile)) {
      console.log(`${(bytes / 1024).toFixed(0).padStart(6)} KiB  ${name}`);
    }
  }
  const show = (path: string, bytes: number) => console.log(`${relative(process.cwd(), path)}  ${kib(bytes)} KiB`);
  show(join(made.folder, 'main.cjs'), made.size);
  if (made.pageSize !== undefined) {
    console.log(`${relative(process.cwd(), join(made.folder, 'page'))}  ${kib(made.pageSize)} KiB compressed`);
  }
  if (made.zip !== undefined && made.zipSize !== undefined) show(made.zip, made.zipSize);
}
