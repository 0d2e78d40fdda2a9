import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUNDLE_FILES, type Bundle, bundle } from '../scripts/bundle.ts';

const PROJECT = join(import.meta.dirname, '..');

/** Loads an app with a stand-in for what the language worker supplies, and prints what registers. */
const LOADER = `
const Module = require('node:module');
const names = [];
const core = {
  version: '0', hostVersion: '0',
  setProgrammingModel() {}, log() {},
  registerFunction(metadata) { names.push(metadata.name); return { dispose() {} }; },
  registerHook() { return { dispose() {} }; },
};
const original = Module.prototype.require;
Module.prototype.require = function (id) {
  return id === '@azure/functions-core' ? core : original.call(this, id);
};
require(process.argv[2]);
process.stdout.write(JSON.stringify(names));
process.exit(0);
`;

let folder: string;
let made: Bundle;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bundle-'));
  made = await bundle({ outDir: join(folder, 'app') });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The names that the sources register: `app.http('name', …` and its like. */
async function namesInSource(): Promise<string[]> {
  const directory = join(PROJECT, 'src/functions');
  const files = (await readdir(directory)).filter((name) => name.endsWith('.ts'));
  const sources = await Promise.all(files.map((name) => readFile(join(directory, name), 'utf8')));
  return sources.flatMap((source) =>
    [
      ...source.matchAll(
        /\bapp\s*\.(?:http|eventGrid|storageQueue|timer|get|post|put|patch|deleteRequest|generic)(?:<[^(]*>)?\(\s*['"]([^'"]+)/g,
      ),
    ].map(([, name = '']) => name),
  );
}

describe('the bundle', () => {
  it('registers every function with nothing but what is in it', async () => {
    // Somewhere without node_modules, above it neither, and only the file that is deployed.
    const alone = await mkdtemp(join(tmpdir(), 'alone-'));
    await copyFile(join(made.folder, 'main.cjs'), join(alone, 'main.cjs'));
    await writeFile(join(alone, 'load.cjs'), LOADER);
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['load.cjs', join(alone, 'main.cjs')], {
      cwd: alone,
      env: {}, // no NODE_PATH, no app settings: loading must not need any
    });
    await rm(alone, { recursive: true });
    expect(stderr).toBe('');
    const registered = (JSON.parse(stdout) as string[]).sort();
    expect(registered).toEqual((await namesInSource()).sort());
    expect(registered).toEqual(expect.arrayContaining(['keyNewVersionCreated', 'reconcileKey', 'reconcileAccount']));
  });

  it('names its entry point, and keeps host.json as it is', async () => {
    const manifest = JSON.parse(await readFile(join(made.folder, 'package.json'), 'utf8')) as Record<string, unknown>;
    expect(manifest).toMatchObject({ name: 'cmk-autopilot', main: 'main.cjs' });
    expect(manifest).not.toHaveProperty('dependencies');
    expect(manifest).not.toHaveProperty('type');
    expect(await readFile(join(made.folder, 'host.json'))).toEqual(await readFile(join(PROJECT, 'host.json')));
  });

  it('is readable, and maps back to the sources', async () => {
    const code = await readFile(join(made.folder, 'main.cjs'), 'utf8');
    expect(code).toContain('//# sourceMappingURL=main.cjs.map');
    const map = JSON.parse(await readFile(join(made.folder, 'main.cjs.map'), 'utf8')) as { sources: string[] };
    expect(map.sources.some((source) => source === '../../src/functions/reconcile-key.ts')).toBe(true);
  });

  it('warns about nothing: code that the bundler doubts is refused', async () => {
    const entry = join(folder, 'doubtful.ts');
    await writeFile(entry, 'console.log(import.meta.url);\n');
    await expect(bundle({ entry, outDir: join(folder, 'doubtful'), zip: false })).rejects.toThrow('import.meta');
  });
});

describe('the zip', () => {
  it('has exactly the files of the folder, at its root', async () => {
    const entries = unzipSync(new Uint8Array(await readFile(made.zip ?? '')));
    expect(Object.keys(entries)).toEqual([...BUNDLE_FILES]);
    expect((await readdir(made.folder)).sort()).toEqual([...BUNDLE_FILES]);
    for (const name of BUNDLE_FILES) {
      expect(Buffer.from(entries[name] ?? []).equals(await readFile(join(made.folder, name)))).toBe(true);
    }
  });

  it('is the same, byte for byte, when it is made again elsewhere', async () => {
    await mkdir(join(folder, 'again'));
    const again = await bundle({ outDir: join(folder, 'again/app') });
    const [first, second] = await Promise.all([readFile(made.zip ?? ''), readFile(again.zip ?? '')]);
    expect(first.equals(second)).toBe(true);
  });
});
