import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { leaveOut } from './bundle/leave-out.ts';
import { notices } from './bundle/notices.ts';
import { manPages } from './man-pages.ts';

const PROJECT = dirname(dirname(fileURLToPath(import.meta.url)));

/** The files of the package, in which everything else is bundled. */
export const CLI_FILES = [
  'cmk.cjs',
  'cmk.mjs',
  'man',
  'package.json',
  'README.md',
  'LICENSE',
  'THIRD-PARTY-NOTICES',
] as const;

/** What is CommonJS inside asks for Node's own modules by `require`. */
const HEAD = `import { createRequire as __createRequire } from 'node:module';
const require = __createRequire(import.meta.url);`;

/**
 * What `cmk` starts: in words that every Node since version 12 can read, as a module is read with all that it imports before any of
 * it runs. Of Node's warnings, that one is kept quiet which an operator who sets NODE_USE_ENV_PROXY, for want of another way
 * through a proxy, knows: that it is experimental in Node 22.
 */
const LAUNCHER = `#!/usr/bin/env node
if (Number(process.versions.node.split('.')[0]) < 22) {
  console.error('error: cmk needs Node 22 or newer, and this is ' + process.version + '.');
  console.error('hint: Install Node 24 from https://nodejs.org, or with your package manager, and run it again.');
  process.exitCode = 2;
} else {
  const [print] = process.listeners('warning');
  if (print) {
    process.removeListener('warning', print);
    process.on('warning', (warning) => warning.code === 'UNDICI-EHPA' || print(warning));
  }
  import('./cmk.mjs');
}
`;

export interface CliBundle {
  readonly folder: string;
  /** Bytes of `cmk.mjs`. */
  readonly size: number;
}

/**
 * Makes the command line: one file that needs no `node_modules`, in a folder that `npm pack` takes as it is. What a
 * command imports when it runs (an SDK, say) stays unread until then, so that help and completion start at once.
 *
 * @param outDir emptied first
 * @throws when esbuild finds an error, or warns
 */
export async function bundleCli(outDir = join(PROJECT, 'dist/cli')): Promise<CliBundle> {
  const project = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8')) as Record<string, string>;

  await rm(outDir, { recursive: true, force: true });
  await mkdir(outDir, { recursive: true });

  const outfile = join(outDir, 'cmk.mjs');
  const { warnings, metafile } = await build({
    absWorkingDir: PROJECT,
    entryPoints: [join(PROJECT, 'src/cli/main.ts')],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    mainFields: ['module', 'main'],
    plugins: [leaveOut(PROJECT, { certificates: true })],
    // Half the file to be read at each start. Names stay, as errors are told by them.
    minifySyntax: true,
    minifyWhitespace: true,
    define: { BUNDLED_VERSION: JSON.stringify(project.version) },
    banner: { js: HEAD },
    metafile: true,
    logLevel: 'silent',
  });
  if (warnings.length > 0) throw new Error(`esbuild warns:\n${warnings.map(({ text }) => text).join('\n')}`);

  await writeFile(join(outDir, 'cmk.cjs'), LAUNCHER);

  const pages = manPages(project.version ?? '');

  await mkdir(join(outDir, 'man'));
  for (const { file, text } of pages) await writeFile(join(outDir, 'man', file), text);

  const { name, version, description, license } = project;
  const manifest = {
    name,
    version,
    description: 'cmk: customer-managed keys of Azure storage accounts, from the command line.',
    keywords: ['azure', 'storage', 'key-vault', 'customer-managed-keys', 'encryption'],
    license,
    type: 'module',
    bin: { cmk: 'cmk.cjs' },
    man: pages.map(({ file }) => `man/${file}`),
    files: ['cmk.cjs', 'cmk.mjs', 'man', 'THIRD-PARTY-NOTICES'],
    engines: { node: '>=22' },
  };

  await writeFile(join(outDir, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  await writeFile(join(outDir, 'README.md'), readme(name ?? '', description ?? ''));
  await writeFile(join(outDir, 'THIRD-PARTY-NOTICES'), await notices(PROJECT, 'cmk.mjs holds', [metafile]));
  await copyFile(join(PROJECT, 'LICENSE'), join(outDir, 'LICENSE'));

  // npm packs the modes too: whatever the umask here, the same sources make the same bytes.
  for (const name of CLI_FILES) {
    await chmod(join(outDir, name), name === 'cmk.cjs' || name === 'cmk.mjs' || name === 'man' ? 0o755 : 0o644);
  }

  for (const { file } of pages) await chmod(join(outDir, 'man', file), 0o644);

  return { folder: outDir, size: (await stat(outfile)).size };
}

function readme(name: string, description: string): string {
  return `# ${name}

\`cmk\`, the command line of ${name}. ${description}

\`\`\`sh
az login
cmk doctor
cmk --help
\`\`\`

One file, with everything that it needs; Node 22 or newer. \`cmk <command> --help\` says the rest.
`;
}

/**
 * Packs what {@link bundleCli} has made, as `npm pack` does.
 *
 * @param into folder of the package
 * @returns path of the package
 */
export async function packCli(folder: string, into: string): Promise<string> {
  await mkdir(into, { recursive: true });
  const { stdout } = await promisify(execFile)('npm', ['pack', folder, '--pack-destination', into, '--json']);
  const packed: unknown = JSON.parse(stdout);
  // npm 12 names the packages; before, they are a list.
  const [one] = Array.isArray(packed) ? packed : Object.values(packed as object);
  return join(into, (one as { filename: string }).filename);
}

if (import.meta.main) {
  const made = await bundleCli();
  const show = (path: string, bytes: number) =>
    console.log(`${relative(process.cwd(), path)}  ${(bytes / 1024).toFixed(0)} KiB`);
  show(join(made.folder, 'cmk.mjs'), made.size);
  const file = await packCli(made.folder, join(PROJECT, 'dist'));
  show(file, (await stat(file)).size);
}
