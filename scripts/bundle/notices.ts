import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';

/**
 * The licences of the packages that are in a bundle, which have to go with it.
 *
 * @param what holds them: `cmk.mjs holds`
 */
export async function notices(project: string, what: string, bundles: readonly Metafile[]): Promise<string> {
  const inputs = bundles.flatMap((bundle) => Object.keys(bundle.inputs));
  const folders = inputs.flatMap((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input) ?? []);
  const texts = await Promise.all(
    [...new Set(folders)].sort().map(async (folder) => {
      const { name, version, license } = JSON.parse(await readFile(join(project, folder, 'package.json'), 'utf8'));
      const file = (await readdir(join(project, folder))).find((one) => /^licen[cs]e(?:\.\w+)?$/i.test(one));
      const text = file === undefined ? '' : `\n${await readFile(join(project, folder, file), 'utf8')}`;
      return `${name} ${version} (${license}), https://www.npmjs.com/package/${name}/v/${version}\n${text}`;
    }),
  );

  return `${what} these packages, as far as they are used:\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}
