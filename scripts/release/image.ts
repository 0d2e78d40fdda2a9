/**
 * Makes the container image of the command line out of the package of a release, as .github/workflows/release.yml does,
 * and sees that it runs, and not as root. Takes docker.
 *
 *   node scripts/release/image.ts --name ghcr.io/<owner>/<repository> [--files dist/release] [--push]
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const PROJECT = join(import.meta.dirname, '../..');
const DOCKERFILE = join(PROJECT, 'infra/cli/Dockerfile');

export interface ImageOptions {
  /** Folder of the release. */
  readonly files: string;
  /** Registry and repository, in small letters, without a tag. */
  readonly name: string;
  readonly push: boolean;
  /** Commit that it is made of. */
  readonly revision?: string | undefined;
}

/**
 * @returns the image by its tag; once it is pushed by its digest too
 * @throws Error when docker fails, or the image is not what it should be
 */
export function makeImage({ files, name, push, revision }: ImageOptions): { image: string; digest?: string } {
  const { version, license } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as Record<
    string,
    string
  >;
  const packed = readdirSync(files).find((file) => file.endsWith('.tgz'));
  if (packed === undefined)
    throw new Error(`${files} has no package of the command line: run scripts/release.ts first.`);
  const image = `${name.toLowerCase()}:${version}`;
  const context = mkdtempSync(join(tmpdir(), 'cmk-image-'));
  try {
    execFileSync('tar', ['-xzf', join(files, packed), '-C', context, '--strip-components=1']);
    const labels = {
      version,
      licenses: license,
      source: `https://github.com/${name.split('/').slice(1).join('/')}`,
      revision,
    };
    const said = Object.entries(labels).flatMap(([label, value]) =>
      value ? ['--label', `org.opencontainers.image.${label}=${value}`] : [],
    );
    docker(['build', '--pull', '--file', DOCKERFILE, ...said, '--tag', image, context]);
  } finally {
    rmSync(context, { recursive: true });
  }
  const alone = ['run', '--rm', '--network', 'none', '--read-only'];
  expectThat(docker([...alone, image, '--version']), version ?? '', 'its version');
  expectThat(docker([...alone, '--entrypoint', 'id', image, '-u']), '1000', 'the user that it runs as');
  if (!push) return { image };
  docker(['push', image]);
  const digests = docker(['inspect', '--format', '{{join .RepoDigests " "}}', image]).split(' ');
  const digest = digests.find((one) => one.startsWith(`${name.toLowerCase()}@`))?.split('@')[1];
  if (digest === undefined) throw new Error(`docker does not say the digest of ${image}.`);
  return { image, digest };
}

function docker(args: readonly string[]): string {
  return execFileSync('docker', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
}

function expectThat(seen: string, expected: string, what: string): void {
  if (seen !== expected) throw new Error(`The image says "${seen}" where ${what} should be ${expected}.`);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      name: { type: 'string' },
      files: { type: 'string', default: join(PROJECT, 'dist/release') },
      push: { type: 'boolean', default: false },
    },
  });
  if (values.name === undefined) throw new Error('--name ghcr.io/<owner>/<repository> is missing.');
  const { files, push } = values;
  const { image, digest } = makeImage({ files, push, name: values.name, revision: process.env.GITHUB_SHA });
  console.log(image, digest ?? '');
  const { GITHUB_OUTPUT: output } = process.env;
  if (output !== undefined && digest !== undefined)
    appendFileSync(output, `name=${values.name.toLowerCase()}\ndigest=${digest}\n`);
}
