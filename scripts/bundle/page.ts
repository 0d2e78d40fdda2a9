import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, type Metafile } from 'esbuild';

/** All that a browser loads, compressed: what a phone in a cellar can still wait for. Bytes. */
const LIMIT = 200 * 1024;

/** The page itself, and where its sign-in window comes back to. */
const DOCUMENTS = ['index.html', 'signed-in.html'];

/**
 * Makes the page: a script, a style sheet and an icon whose names have a hash of what is in them, and the document that
 * names them.
 *
 * @returns bytes that a browser loads, compressed, and what they were made of
 * @throws when esbuild finds an error, or warns, or when it is over 200 KiB
 */
export async function bundlePage(project: string, outDir: string): Promise<{ size: number; metafile: Metafile }> {
  const result = await build({
    absWorkingDir: project,
    entryPoints: ['src/main.tsx', 'src/signed-in.ts', 'style.css', 'icon.svg'].map((name) =>
      join(project, 'page', name),
    ),
    outdir: outDir,
    outbase: join(project, 'page'),
    entryNames: '[name]-[hash]',
    assetNames: '[name]-[hash]',
    write: false,
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: ['es2022'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    minify: true,
    loader: { '.svg': 'copy' },
    legalComments: 'eof',
    metafile: true,
    logLevel: 'silent',
  });

  if (result.warnings.length > 0) {
    throw new Error(`esbuild warns about the page:\n${result.warnings.map(({ text }) => text).join('\n')}`);
  }

  await mkdir(outDir, { recursive: true });

  const names = new Map<string, string>();
  let size = 0;

  for (const { path, contents } of result.outputFiles) {
    const name = basename(path);
    names.set(name.replace(/-[A-Z0-9]{8}\./, '.'), name);
    await writeFile(join(outDir, name), contents);
    size += gzipSync(contents, { level: 9 }).length;
  }

  for (const name of DOCUMENTS) {
    const linked = linkedBy(await readFile(join(project, 'page', name), 'utf8'), names);
    await writeFile(join(outDir, name), linked);
    size += gzipSync(linked, { level: 9 }).length;
  }

  if (size > LIMIT) throw new Error(`The page is ${kib(size)} KiB compressed; it may be ${kib(LIMIT)}.`);

  return { size, metafile: result.metafile };
}

/** A document with the names that its script, style sheet and icon have got. */
function linkedBy(document: string, names: ReadonlyMap<string, string>): string {
  return document.replace(
    /(?<=(?:href|src)=")(page\/)?([\w-]+\.(?:css|js|svg))(?=")/g,
    (_, folder = '', name: string) => {
      const hashed = names.get(name);
      if (!hashed) throw new Error(`A document of the page names ${name}, which is not made.`);
      return `${folder}${hashed}`;
    },
  );
}

const kib = (bytes: number): string => (bytes / 1024).toFixed(0);
