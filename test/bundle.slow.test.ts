import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUNDLE_FILES, type Bundle, bundle, filesIn } from '../scripts/bundle.ts';
import { ROUTES } from '../src/api/routes.ts';

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

/** How often the app's code is compiled, whether by its cache, and how often its text is in memory afterwards. */
const WATCH = `
const vm = require('node:vm');
const { Script } = vm;
const scripts = [];
vm.Script = class extends Script {
  constructor(...given) { super(...given); scripts.push(this); }
};
const v8 = require('node:v8');
const bytes = () =>
  v8.getHeapSpaceStatistics().find(({ space_name }) => space_name === 'large_object_space').space_used_size +
  process.memoryUsage().external;
const before = bytes();
function watched() {
  const required = Object.keys(require.cache).filter((path) => path.endsWith('main.cjs')).length;
  const { size } = require('node:fs').statSync(process.argv[2].replace('start.cjs', 'main.cjs'));
  v8.setFlagsFromString('--expose-gc');
  const gc = vm.runInNewContext('gc');
  gc();
  gc(); // what the first has found is given back, and counted, by the second
  return {
    cached: scripts.some((script) => script.cachedDataRejected === false),
    compiled: scripts.length + required,
    copies: Math.round((bytes() - before) / size),
  };
}
`;

let folder: string;
let made: Bundle;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bundle-'));
  made = await bundle({ outDir: join(folder, 'app') });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The names that the sources register: `app.eventGrid('name', …`, `onTimer('name', …` and their like, and the route table. */
async function namesInSource(): Promise<string[]> {
  const directory = join(PROJECT, 'src/functions');
  const files = (await readdir(directory)).filter((name) => name.endsWith('.ts'));
  const sources = await Promise.all(files.map((name) => readFile(join(directory, name), 'utf8')));

  return sources
    .flatMap((source) =>
      [
        ...source.matchAll(
          /\b(?:app\s*\.(?:http|eventGrid)|on(?:KeyEvent|Message|Timer))(?:<[^(]*>)?\(\s*['"]([^'"]+)/g,
        ),
      ].map(([, name = '']) => name),
    )
    .concat(ROUTES.map(({ id }) => id));
}

describe('the bundle', () => {
  it('The bundle registers every function without any other module', async () => {
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
    expect(registered).toEqual(expect.arrayContaining(['keyNewVersionCreated', 'reconcileKey']));
  });

  it('The bundle has telemetry in a file of its own, which calls no server but its receiver', async () => {
    const [main, telemetry] = await Promise.all(
      ['main.cjs', 'telemetry.cjs'].map((name) => readFile(join(made.folder, name), 'utf8')),
    );
    expect(main).toContain('import("./telemetry.cjs")');
    expect(main).not.toContain('BatchSpanProcessor');
    expect(telemetry).toContain('BatchSpanProcessor');
    expect(telemetry).not.toContain('class ConfigurationWorker {\n  poll');
    expect(telemetry).not.toContain('ManagedIdentityCredential');

    // About what is measured today: identity or a storage SDK would be found here.
    expect(telemetry?.length).toBeLessThan(900_000);
  });

  it('The bundle names its entry point, and keeps host.json unchanged', async () => {
    const manifest = JSON.parse(await readFile(join(made.folder, 'package.json'), 'utf8')) as Record<string, unknown>;
    expect(manifest).toMatchObject({ name: 'cmk-autopilot', main: 'start.cjs' });
    expect(manifest).not.toHaveProperty('dependencies');
    expect(manifest).not.toHaveProperty('type');
    expect(await readFile(join(made.folder, 'host.json'))).toEqual(await readFile(join(PROJECT, 'host.json')));
  });

  it('The bundle has the licences of its packages, those of the page included', async () => {
    const text = await readFile(join(made.folder, 'THIRD-PARTY-NOTICES'), 'utf8');
    const packages = ['zod', '@azure/identity', '@opentelemetry/sdk-trace', 'preact', '@azure/msal-browser'];
    expect(packages.filter((name) => !text.includes(`\n${name} `))).toEqual([]);
    expect(text).toContain('WITHOUT WARRANTY OF ANY KIND');
  });

  it('The bundle is ASCII, since with any other character V8 keeps two bytes for each', async () => {
    for (const name of ['main.cjs', 'telemetry.cjs']) {
      const code = await readFile(join(made.folder, name));
      expect(code.findIndex((byte) => byte > 127)).toBe(-1);
    }
  });

  it('The bundle is built without a warning of the bundler', async () => {
    const entry = join(folder, 'doubtful.ts');
    await writeFile(entry, 'console.log(import.meta.url);\n');
    await expect(bundle({ entry, outDir: join(folder, 'doubtful'), zip: false })).rejects.toThrow('import.meta');
  });
});

describe('the page', () => {
  it('The page is under 200 KiB compressed, and its documents name only files that exist', async () => {
    expect(made.pageSize).toBeLessThanOrEqual(200 * 1024);

    const files = (await filesIn(made.folder)).filter((name) => name.startsWith('page/'));
    expect(files.map((name) => name.replace(/-[A-Z0-9]{8}\./, '.'))).toEqual([
      'page/icon.svg',
      'page/index.html',
      'page/main.js',
      'page/signed-in.js',
      'page/signed-in.html',
      'page/style.css',
    ]);

    for (const document of ['page/index.html', 'page/signed-in.html']) {
      const text = await readFile(join(made.folder, document), 'utf8');
      const named = [...text.matchAll(/(?:src|href)="(?:page\/)?([\w-]+\.(?:js|css|svg))"/g)].map(
        ([, name]) => `page/${name}`,
      );

      expect(named).toHaveLength(3);
      expect(named.filter((name) => !files.includes(name))).toEqual([]);

      // A strict policy lets nothing of these through.
      expect(text).not.toMatch(/<style|<script(?![^>]* src=)|style="|\son\w+=/);
    }
  });
});

describe('the size of the bundle', () => {
  it('The bundle is under 4.5 MB', () => {
    expect(made.size).toBeLessThanOrEqual(4_500_000);
  });
});

describe('the code cache', () => {
  const start = async (change: (folder: string) => Promise<unknown>) => {
    const alone = await mkdtemp(join(tmpdir(), 'alone-'));

    for (const name of BUNDLE_FILES) await copyFile(join(made.folder, name), join(alone, name));

    await change(alone);
    await writeFile(
      join(alone, 'load.cjs'),
      `${WATCH}${LOADER.replace('process.stdout', 'names.push(watched()); $&')}`,
    );

    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['load.cjs', join(alone, 'start.cjs')], {
      cwd: alone,
      env: {},
    });

    await rm(alone, { recursive: true });

    expect(stderr).toBe('');

    const names = JSON.parse(stdout) as (string | object)[];

    return { ...(names.pop() as object), names: names.sort() };
  };

  const cacheOf = (alone: string) => join(alone, 'main.cache');

  /** With the checksum that it has to have. */
  const resealed = (bytes: Buffer): Buffer => {
    bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4);
    return bytes;
  };

  it('The code cache is used if it matches the bundle', async () => {
    expect(await start(async () => {})).toEqual({
      cached: true,
      compiled: 1,
      copies: 1,
      names: (await namesInSource()).sort(),
    });
  });

  it.each([
    ['is not there', (alone: string) => rm(cacheOf(alone))],
    ['is rubbish', (alone: string) => writeFile(cacheOf(alone), 'rubbish, and more of it')],
    [
      'is of another V8',
      async (alone: string) => {
        const bytes = await readFile(cacheOf(alone));
        bytes.fill(1, 8, 44);
        await writeFile(cacheOf(alone), resealed(bytes));
      },
    ],
    [
      // With it taken, Node dies of a signal: V8 does not look.
      'is damaged',
      async (alone: string) => {
        const bytes = await readFile(cacheOf(alone));
        for (let at = 1_000; at < bytes.length; at += 1_000) bytes.writeUInt8(bytes.readUInt8(at) ^ 0x55, at);
        await writeFile(cacheOf(alone), bytes);
      },
    ],
    [
      'is of code that was changed and is as long',
      async (alone: string) => {
        const code = await readFile(join(alone, 'main.cjs'), 'utf8');
        await writeFile(join(alone, 'main.cjs'), code.replace('"use strict"', "'use strict'"));
      },
    ],
  ])('The app ignores a code cache that %s, and starts without it', async (_, change) => {
    expect(await start(change)).toEqual({
      cached: false,
      compiled: 1,
      copies: 1,
      names: (await namesInSource()).sort(),
    });
  });
});

it('the zip has exactly the files of the folder, at its root', async () => {
  const entries = unzipSync(new Uint8Array(await readFile(made.zip ?? '')));
  const files = await filesIn(made.folder);
  expect(Object.keys(entries)).toEqual(files);
  expect((await readdir(made.folder)).sort()).toEqual([...BUNDLE_FILES, 'page'].sort());
  for (const name of files) {
    expect(Buffer.from(entries[name] ?? []).equals(await readFile(join(made.folder, name)))).toBe(true);
  }
});
