import { globSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Plugin } from 'esbuild';

/**
 * Keeps out of the bundle what the app never calls and esbuild cannot see that it does not:
 *
 * - operation groups of the management clients, which a client's constructor makes one by one: those whose name stands
 *   nowhere in `src/`
 * - what the name `z` of zod brings along (its messages in forty languages among it): imported as a namespace, which is
 *   shaken
 * - `apache-arrow`, which the blob SDK loads for lists in a format that is not asked for
 * - `jsonwebtoken`, with which MSAL signs in by a certificate: the app has a managed identity, and no certificate
 */
export function leaveOut(project: string): Plugin {
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
      build.onResolve({ filter: /^(apache-arrow|jsonwebtoken)$/ }, ({ path }) => ({ path, namespace: 'left-out' }));
      build.onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => ({
        contents: `const leftOut = () => { throw new Error('${path} is not in the bundle'); };
export { leftOut as tableFromIPC };
export default { sign: leftOut };`,
      }));
    },
  };
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
export function withoutGroups(client: string, named: ReadonlySet<string>): string {
  const group = /^\s*this\.(\w+) =\s+(?:new \w+Impl|_get\w+Operations)\(\s*this(?:\._client)?,?\s*\);$/gm;
  return client.replace(group, (line, name: string) => (named.has(name) ? line : ''));
}
