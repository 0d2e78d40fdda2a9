import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const PROJECT = join(import.meta.dirname, '../..');

/** What the modules of a folder import, by file. */
async function imports(folder: string): Promise<{ file: string; from: string }[]> {
  const files = (await readdir(join(PROJECT, folder), { recursive: true })).filter((name) => name.endsWith('.ts'));
  const found = files.map(async (name) => {
    const file = join(folder, name);
    const text = await readFile(join(PROJECT, file), 'utf8');
    const names = text.matchAll(
      /^(?:import|export)\s(?:[^'"]*\sfrom\s)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm,
    );
    return [...names].map(([, from, lazy]) => ({ file, from: from ?? lazy ?? '' }));
  });

  return (await Promise.all(found)).flat();
}

it('local/ imports nothing of the app', async () => {
  const local = await imports('local');
  expect(local.length).toBeGreaterThan(100);
  expect(
    local.filter(({ file, from }) => from.startsWith('.') && !join(file, '..', from).startsWith('local/')),
  ).toEqual([]);
});

it('The package.json of local/ names the packages that it imports', async () => {
  const { dependencies } = JSON.parse(await readFile(join(PROJECT, 'local/package.json'), 'utf8'));
  const packages = (await imports('local'))
    .map(({ from }) => from)
    .filter((from) => !/^(\.|node:)/.test(from))
    .map((from) => from.split('/', from.startsWith('@') ? 2 : 1).join('/'));
  // Azurite has no programming interface: it is found by `require`.
  expect([...new Set([...packages, 'azurite'])].sort()).toEqual(Object.keys(dependencies).sort());
});
