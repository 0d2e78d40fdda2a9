import { globSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Plugin } from 'esbuild';

/**
 * Keeps out of a bundle what the app and its command line never call and esbuild cannot see that it does not:
 *
 * - operation groups of the management clients, which a client's constructor makes one by one: those whose name stands
 *   nowhere in `src/`
 * - what the name `z` of zod brings along (its messages in forty languages among it): imported as a namespace, which is
 *   shaken
 * - `apache-arrow`, which the blob SDK loads for lists in a format that is not asked for
 * - of the storage SDKs what its clients can do and the app does not ask for: signing of links (SAS), batches, queries, and
 *   checksums of contents (CRC-64, which is WebAssembly)
 * - of the exporter for Application Insights what asks Microsoft for other settings of itself, every hour (OneSettings)
 * - `jsonwebtoken` and `open`, with which MSAL signs in by a certificate and in a browser: the app has a managed identity. Who
 *   uses the command line may have either
 */
export function leaveOut(project: string, { certificates = false } = {}): Plugin {
  return {
    name: 'leave-out',
    setup(build) {
      const named = identifiers(project);

      build.onLoad({ filter: /[\\/]@azure[\\/]arm-[\w-]+[\\/].*ManagementClient\.js$/ }, async ({ path }) => ({
        contents: withoutGroups(await readFile(path, 'utf8'), named),
      }));
      build.onLoad({ filter: /[\\/]src[\\/].*\.ts$/ }, async ({ path }) => ({
        contents: (await readFile(path, 'utf8')).replace("import { z } from 'zod';", "import * as z from 'zod';"),
        loader: 'ts',
      }));
      build.onLoad({ filter: NOT_CALLED }, async ({ path }) => ({
        contents: leftOut(await readFile(path, 'utf8'), path),
      }));
      build.onLoad({ filter: /[\\/]_configuration[\\/]configurationWorker\.js$/ }, () => ({
        contents: 'export class ConfigurationWorker { shutdown() {} }',
      }));

      const packages = certificates ? /^apache-arrow$/ : /^(apache-arrow|jsonwebtoken|open)$/;

      build.onResolve({ filter: packages }, ({ path }) => ({ path, namespace: 'left-out' }));

      build.onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => ({
        contents: `const leftOut = () => { throw new Error('${path} is not in the bundle'); };
export { leftOut as tableFromIPC };
export default Object.assign(leftOut, { sign: leftOut });`,
      }));
    },
  };
}

/** Leaves one source to a file of its own, which is loaded when it is imported. */
export function apart(source: string, file: string): Plugin {
  return {
    name: 'apart',
    setup(build) {
      build.onResolve({ filter: /./ }, ({ path, kind }) =>
        kind === 'dynamic-import' && basename(path) === basename(source) ? { path: file, external: true } : undefined,
      );
    },
  };
}

const NOT_CALLED =
  /[\\/]@azure[\\/]storage-[\w-]+[\\/].*[\\/](crc64|\w+SASSignatureValues|BlobBatch|BlobQuickQueryStream|AvroParser)\.js$/;

/** A module that exports what it did, and throws when it is called. */
function leftOut(module: string, path: string): string {
  const names = [...module.matchAll(/^export (?:default |async |(?:function|class|const) )+(\w+)/gm)];
  const lines = names.map(([line, name]) =>
    line.startsWith('export default') ? 'export default gone;' : `export { gone as ${name} };`,
  );
  return [`const gone = () => { throw new Error('${basename(path)} is not in the bundle'); };`, ...lines].join('\n');
}

/** Every word of the sources: more than what is called, never less. */
function identifiers(project: string): ReadonlySet<string> {
  const words = new Set<string>();
  for (const file of globSync('src/**/*.ts', { cwd: project })) {
    for (const [word] of readFileSync(join(project, file), 'utf8').matchAll(/[A-Za-z_$][\w$]*/g)) words.add(word);
  }
  return words;
}

/** A management client without the operation groups that are not named: `this.topicTypes = new TopicTypesImpl(this);` */
function withoutGroups(client: string, named: ReadonlySet<string>): string {
  const group = /^\s*this\.(\w+) =\s+(?:new \w+Impl|_get\w+Operations)\(\s*this(?:\._client)?,?\s*\);$/gm;
  return client.replace(group, (line, name: string) => (named.has(name) ? line : ''));
}
