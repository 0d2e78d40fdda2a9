/**
 * Makes the files of a release, as .github/workflows/release.yml does: the package of the app, the command line with
 * what Homebrew and winget install it by, the templates, the script for the app registration, a bill of materials and checksums.
 *
 *   node scripts/release.ts [--tag v1.2.3] [--repository <owner>/<name>] [--out dist/release] [--notes <file>]
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, globSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { strToU8, zipSync } from 'fflate';
import { bundle } from './bundle.ts';
import { billOfMaterials } from './release/bill-of-materials.ts';
import { deployNote, fetching, packageAddress, packageName, type Released } from './release/deploy-note.ts';
import { homebrewFormula, WINDOWS_COMMAND, wingetManifests } from './release/package-managers.ts';

const PROJECT = dirname(dirname(fileURLToPath(import.meta.url)));

/** What is deployed from a release: the compiled templates, which need no compiler, and the form of the deploy button. */
const TEMPLATES = [
  'infra/azuredeploy.json',
  'infra/createUiDefinition.json',
  'infra/compiled/events.json',
  'infra/compiled/rights.json',
  'infra/compiled/update.json',
];

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly scripts: Readonly<Record<string, string>>;
}

export interface ReleaseOptions {
  /** The tag that the release is made of; undefined: none yet, to try it out. */
  readonly tag?: string | undefined;
  /** Where it will be published, `<owner>/<name>` on GitHub: the templates then fetch its package from there. */
  readonly repository?: string | undefined;
}

/**
 * @param out emptied first
 * @returns names of the files, SHA256SUMS the last
 * @throws Error when tag, package.json and CHANGELOG.md do not name one version, or nothing says of when it is
 */
export async function release(out: string, { tag, repository }: ReleaseOptions = {}): Promise<string[]> {
  if (!relative(resolve(out), PROJECT).startsWith('..')) {
    throw new Error(`${out} would be emptied, and this repository is in it.`);
  }

  const manifest = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as Manifest;
  if (tag !== undefined) checkTag(tag, manifest.version, readFileSync(join(PROJECT, 'CHANGELOG.md'), 'utf8'));

  const on = madeOn();

  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });

  const { name, version } = manifest;

  const app = await bundle({ outDir: join(out, 'app'), zip: join(out, packageName(manifest)) });

  rmSync(app.folder, { recursive: true });

  if (manifest.scripts.package !== undefined) packCommandLine(out);
  if (repository !== undefined) forPackageManagers(out, { ...manifest, repository });

  const address = repository === undefined ? undefined : packageAddress({ ...manifest, repository });

  for (const template of TEMPLATES) {
    const text = readFileSync(join(PROJECT, template), 'utf8');
    writeFileSync(join(out, basename(template)), address === undefined ? text : fetching(address, text));
  }

  copyFileSync(join(PROJECT, 'infra/entra.sh'), join(out, 'entra.sh'));
  writeFileSync(join(out, `${name}-${version}.cdx.json`), `${JSON.stringify(billOfMaterials(PROJECT, on), null, 2)}\n`);

  const files = readdirSync(out).sort();

  writeFileSync(join(out, 'SHA256SUMS'), files.map((file) => `${sha256(join(out, file))}  ${file}\n`).join(''));

  return [...files, 'SHA256SUMS'];
}

/**
 * When the commit was made, or SOURCE_DATE_EPOCH (reproducible-builds.org): the same sources make the same files.
 *
 * @throws Error that says what to set, where that is no time, or there is neither
 */
export function madeOn(said = process.env.SOURCE_DATE_EPOCH, project = PROJECT): Date {
  const log = ['log', '-1', '--no-show-signature', '--format=%ct'];
  const seconds = said || spawnSync('git', log, { cwd: project, encoding: 'utf8' }).stdout?.trim();
  if (!seconds) throw new Error('git knows no commit here: set SOURCE_DATE_EPOCH to its time, in seconds since 1970.');
  if (!/^\d{1,11}$/.test(seconds)) throw new Error(`SOURCE_DATE_EPOCH has to be seconds since 1970, not "${seconds}".`);
  return new Date(Number(seconds) * 1_000);
}

/** @throws Error that says what to do, when the three do not go together */
export function checkTag(tag: string, version: string, changelog: string): void {
  if (tag !== `v${version}`) {
    throw new Error(
      `The tag ${tag} is not the version of package.json, ${version}: set the version, then tag v${version}.`,
    );
  }
  if (!changelog.includes(`\n## [${version}]`)) {
    throw new Error(`CHANGELOG.md has no heading for ${version}: move what is under "Unreleased" there.`);
  }
}

/** What CHANGELOG.md says of a version, without its heading. */
export function notesOf(version: string, changelog: string): string {
  const [, after = ''] = changelog.split(`\n## [${version}]`);
  const text = after.slice(after.indexOf('\n'));
  const end = text.search(/\n(?:## \[|\[[\w.]+\]: )/);
  return `${text.slice(0, end < 0 ? undefined : end).trim()}\n`;
}

/** The package of the command line, as `npm run package` makes it in dist/. */
function packCommandLine(out: string): void {
  for (const old of globSync('dist/*.tgz', { cwd: PROJECT })) rmSync(join(PROJECT, old));
  execFileSync('npm', ['run', '--silent', 'package'], { cwd: PROJECT, stdio: ['ignore', 'ignore', 'inherit'] });
  for (const file of globSync('dist/*.tgz', { cwd: PROJECT })) {
    copyFileSync(join(PROJECT, file), join(out, basename(file)));
  }
}

/** The zip for Windows, and what Homebrew and winget install by. */
function forPackageManagers(out: string, released: Released): void {
  const fileOf = (name: string) => ({ name, sha256: sha256(join(out, name)) });
  const tarball = `${released.name}-${released.version}.tgz`;
  writeFileSync(join(out, 'cmk.rb'), homebrewFormula(released, fileOf(tarball)));
  const zip = `cmk-${released.version}-windows.zip`;
  const parts = ['cmk.cjs', 'cmk.mjs', 'LICENSE', 'THIRD-PARTY-NOTICES'];
  const read = (name: string): [string, Uint8Array] => [name, readFileSync(join(PROJECT, 'dist/cli', name))];
  const files = Object.fromEntries([...parts.map(read), ['cmk.cmd', strToU8(WINDOWS_COMMAND)]]);
  writeFileSync(join(out, zip), zipSync(files, { level: 9, mtime: new Date(1980, 0, 1) }));
  for (const [name, text] of wingetManifests(released, fileOf(zip))) writeFileSync(join(out, name), text);
}

function sha256(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      tag: { type: 'string' },
      repository: { type: 'string' },
      out: { type: 'string', default: join(PROJECT, 'dist/release') },
      notes: { type: 'string' },
    },
  });
  const { repository } = values;
  for (const file of await release(values.out, values)) console.log(join(values.out, file));
  if (values.notes !== undefined) {
    const changelog = readFileSync(join(PROJECT, 'CHANGELOG.md'), 'utf8');
    const manifest = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as Manifest;
    const notes = [notesOf((values.tag ?? 'vUnreleased').slice(1), changelog)];
    if (repository !== undefined) notes.push(deployNote({ ...manifest, repository }));
    writeFileSync(values.notes, notes.join('\n'));
  }
}
