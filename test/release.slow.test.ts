import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadApp } from '../local/host/load-app.ts';
import type { BillOfMaterials } from '../scripts/release/bill-of-materials.ts';
import { deployNote } from '../scripts/release/deploy-note.ts';
import { checkTag, madeOn, notesOf, release } from '../scripts/release.ts';

const PROJECT = join(import.meta.dirname, '..');
const manifest = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8'));

let folder: string;
let files: string[];
const file = (end: RegExp): string => join(folder, files.find((name) => end.test(name)) ?? 'missing');

beforeAll(async () => {
  // Nothing of the repository is above it: what is not in the files of the release is not there.
  folder = mkdtempSync(join(tmpdir(), 'cmk-release-'));
  files = await release(folder, { repository: 'example/cmk' });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a release', () => {
  it('A release has the app, the templates, a bill of materials and checksums of all of them', () => {
    expect(files).toEqual(
      expect.arrayContaining([
        'SHA256SUMS',
        'azuredeploy.json',
        'events.json',
        'rights.json',
        'update.json',
        `${manifest.name}-${manifest.version}.cdx.json`,
        `${manifest.name}-app-${manifest.version}.zip`,
      ]),
    );

    const sums = readFileSync(join(folder, 'SHA256SUMS'), 'utf8').trim().split('\n');
    expect(sums.map((line) => line.slice(66)).sort()).toEqual(files.filter((name) => name !== 'SHA256SUMS').sort());

    for (const line of sums) {
      const bytes = readFileSync(join(folder, line.slice(66)));
      expect(line.slice(0, 64)).toBe(createHash('sha256').update(bytes).digest('hex'));
    }

    expect(readdirSync(folder).sort()).toEqual([...files].sort());
  });

  it('A release of the same commit is the same, byte for byte, under any umask', () => {
    const again = mkdtempSync(join(tmpdir(), 'cmk-again-'));
    const sums = (of: string): string => readFileSync(join(of, 'SHA256SUMS'), 'utf8');
    const script = [process.execPath, join(PROJECT, 'scripts/release.ts'), '--repository', 'example/cmk'];
    execFileSync('sh', ['-c', 'umask 077; exec "$0" "$@"', ...script, '--out', again]);
    expect(sums(again)).toBe(sums(folder));
    rmSync(again, { recursive: true });
  });

  it('A release has the date of its commit or of SOURCE_DATE_EPOCH, and fails with the missing name without either', () => {
    const seconds = execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: PROJECT, encoding: 'utf8' });
    expect(madeOn('')).toEqual(new Date(Number(seconds) * 1_000));
    expect(madeOn('0')).toEqual(new Date(0));
    for (const odd of ['yesterday', ' ', '-1', '1e30', '2026-11-26']) {
      expect(() => madeOn(odd)).toThrow('SOURCE_DATE_EPOCH');
    }
    // The sources without their history, as GitHub offers them for download.
    expect(() => madeOn('', folder)).toThrow('SOURCE_DATE_EPOCH');
    expect(madeOn('86400', folder)).toEqual(new Date(86_400_000));
  });

  it('The templates of a release fetch its own package, and are otherwise those of the repository', () => {
    const packageUri = `https://github.com/example/cmk/releases/download/v${manifest.version}/cmk-autopilot-app-${manifest.version}.zip`;
    expect(files).toContain(packageUri.slice(packageUri.lastIndexOf('/') + 1));

    const template = JSON.parse(readFileSync(file(/^azuredeploy\.json$/), 'utf8'));
    expect(template.parameters.packageUri.defaultValue).toBe(packageUri);

    const form = JSON.parse(readFileSync(file(/^createUiDefinition\.json$/), 'utf8'));
    const asked = form.parameters.basics.find(({ name }: { name: string }) => name === 'packageUri');

    expect(asked.defaultValue).toBe(packageUri);
    expect(packageUri).toMatch(new RegExp(asked.constraints.regex));

    template.parameters.packageUri.defaultValue = '';
    delete asked.defaultValue;
    for (const [name, own] of Object.entries({ azuredeploy: template, createUiDefinition: form })) {
      expect(own).toEqual(JSON.parse(readFileSync(join(PROJECT, `infra/${name}.json`), 'utf8')));
    }
  });

  it('A release has the script that creates the app registration, which a deployment from its files needs first', () => {
    expect(readFileSync(file(/^entra\.sh$/), 'utf8')).toBe(readFileSync(join(PROJECT, 'infra/entra.sh'), 'utf8'));
  });

  it('A release has a package that starts from its own files alone', async () => {
    const app = join(folder, 'unpacked');
    for (const [name, bytes] of Object.entries(unzipSync(new Uint8Array(readFileSync(file(/-app-.*\.zip$/)))))) {
      mkdirSync(dirname(join(app, name)), { recursive: true });
      writeFileSync(join(app, name), bytes);
    }
    const { registry, failure } = await loadApp(app, () => undefined);
    expect(failure).toBeUndefined();
    expect([...registry.functions.keys()]).toEqual(expect.arrayContaining(['reconcileKey', 'revokeKey']));
    rmSync(app, { recursive: true });
  });

  // The command line is packed by a script of its own.
  it.runIf(manifest.scripts.package !== undefined)(
    'A release has a command line that works from its package alone',
    () => {
      const prefix = join(folder, 'installed');
      execFileSync('npm', ['install', '--global', '--offline', '--no-audit', '--prefix', prefix, file(/\.tgz$/)]);
      const said = execFileSync(join(prefix, 'bin/cmk'), ['--version'], { cwd: folder, encoding: 'utf8' });
      expect(said.trim()).toBe(manifest.version);
      rmSync(prefix, { recursive: true });
    },
    60_000,
  );

  it('A release has the manifests of Homebrew and winget, with the addresses and hashes of its own files', () => {
    const sums = new Map(
      readFileSync(join(folder, 'SHA256SUMS'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => [line.slice(66), line.slice(0, 64)]),
    );

    const at = `https://github.com/example/cmk/releases/download/v${manifest.version}/`;
    const formula = readFileSync(file(/^cmk\.rb$/), 'utf8');
    const tarball = `${manifest.name}-${manifest.version}.tgz`;

    expect(formula).toContain(`url "${at}${tarball}"\n  sha256 "${sums.get(tarball)}"`);

    const installer = readFileSync(file(/^example\.cmk\.installer\.yaml$/), 'utf8');
    const zip = `cmk-${manifest.version}-windows.zip`;

    expect(installer).toContain(`InstallerUrl: ${at}${zip}\n  InstallerSha256: ${sums.get(zip)?.toUpperCase()}\n`);
    expect(files).toEqual(expect.arrayContaining(['example.cmk.yaml', 'example.cmk.locale.en-US.yaml']));

    const inside = unzipSync(new Uint8Array(readFileSync(join(folder, zip))));
    const [, started = ''] = /^@node "%~dp0(.+)" %\*\r\n$/.exec(Buffer.from(inside['cmk.cmd'] ?? []).toString()) ?? [];

    expect(Object.keys(inside)).toContain(started);
    expect(Buffer.from(inside[started] ?? []).toString()).toContain("import('./cmk.mjs')");
  });

  it('A release has a bill of materials of its packages, in the versions of the lockfile', () => {
    const bill = JSON.parse(readFileSync(file(/\.cdx\.json$/), 'utf8')) as BillOfMaterials;
    expect(bill).toMatchObject({ bomFormat: 'CycloneDX', metadata: { component: { name: 'cmk-autopilot' } } });
    expect(bill.serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);

    const listed = new Set(bill.components.map((one) => one['bom-ref']));
    const missing = Object.entries(manifest.dependencies as Record<string, string>).filter(
      ([name, version]) => !listed.has(`${name}@${version}`),
    );

    expect(missing).toEqual([]);

    for (const name of ['vitest', 'hono', 'local-azure-cmk']) {
      expect([...listed].filter((ref) => ref.startsWith(`${name}@`))).toEqual([]);
    }
  });
});

describe('the folder of a release', () => {
  it('The release, which empties its folder first, rejects a folder that contains the repository', async () => {
    // And of a tag that is refused, should the first not be.
    await expect(release(PROJECT, { tag: 'v0.0.0-none' })).rejects.toThrow('this repository is in it');
  });
});

describe('the tag of a release', () => {
  const changelog =
    '# Changelog\n\n## [Unreleased]\n\n- later\n\n## [1.2.3] - 2026-11-25\n\n- this\n\n## [1.2.2]\n\n- before\n';

  it('The tag of a release is the version of package.json, and has a heading in the changelog', () => {
    expect(() => checkTag('v1.2.3', '1.2.3', changelog)).not.toThrow();
    expect(() => checkTag('v1.2.4', '1.2.3', changelog)).toThrow('set the version, then tag v1.2.3');
    expect(() => checkTag('v2.0.0', '2.0.0', changelog)).toThrow('CHANGELOG.md has no heading for 2.0.0');
  });

  it('The notes of a release are those of its version, and no others', () => {
    expect(notesOf('1.2.3', changelog)).toBe('- this\n');
  });
});

it('the notes of a release have the buttons of its tag, to deploy and to update', () => {
  const note = deployNote({ repository: 'example/cmk', name: 'cmk-autopilot', version: '1.2.3' });
  const [, template = '', form = ''] =
    /\(https:\/\/portal\.azure\.com\/#create\/Microsoft\.Template\/uri\/([^/]+)\/createUIDefinitionUri\/([^/)]+)\)/.exec(
      note,
    ) ?? [];
  const [, update = ''] = /Microsoft\.Template\/uri\/([^/)]+)\)/.exec(note) ?? [];
  const raw = 'https://raw.githubusercontent.com/example/cmk/v1.2.3/';

  for (const [address, name] of [
    [template, 'infra/azuredeploy.json'],
    [form, 'infra/createUiDefinition.json'],
    [update, 'infra/compiled/update.json'],
  ] as const) {
    expect(decodeURIComponent(address)).toBe(`${raw}${name}`);
    expect(existsSync(join(PROJECT, name))).toBe(true);
  }
});
