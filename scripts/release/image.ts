/**
 * Makes the container image of the command line out of the package of a release, as .github/workflows/release.yml does,
 * and sees that it runs, and not as root. Takes docker.
 *
 *   node scripts/release/image.ts --name ghcr.io/<owner>/<repository> [--files dist/release] [--push]
 *   node scripts/release/image.ts --pin      write the digest of the base into the Dockerfile, to be committed
 *
 * It is always made of a base by its digest: the one of the Dockerfile, or, as long as there is none, the one that the tag has
 * in the registry now. The labels org.opencontainers.image.base.* say which it was.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

/** The base that a Dockerfile names: its tag, and its digest where it has one. */
export function baseOf(dockerfile: string): { tag: string; digest: string | undefined } {
  const [, tag, , digest] = /^FROM ([^\s@]+)(@(sha256:[0-9a-f]{64}))?$/m.exec(dockerfile) ?? [];
  if (tag === undefined) throw new Error('The Dockerfile names no base as FROM <tag>, or <tag>@sha256:<64 digits>.');
  return { tag, digest };
}

/** The Dockerfile with its base by digest, asked of the registry where it does not say it. */
function pinned(dockerfile: string): { text: string; tag: string; digest: string } {
  const { tag, digest: said } = baseOf(dockerfile);
  if (said !== undefined) return { text: dockerfile, tag, digest: said };
  docker(['pull', '--quiet', tag]);
  const repository = tag.slice(0, tag.lastIndexOf(':'));
  const found = docker(['inspect', '--format', '{{join .RepoDigests " "}}', tag]).split(' ');
  const digest = found.find((one) => one.startsWith(`${repository}@`))?.split('@')[1];
  if (!digest || !/^sha256:[0-9a-f]{64}$/.test(digest)) throw new Error(`docker does not say the digest of ${tag}.`);
  return { text: dockerfile.replace(`FROM ${tag}`, `FROM ${tag}@${digest}`), tag, digest };
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
  if (packed === undefined) {
    throw new Error(`${files} has no package of the command line: run scripts/release.ts first.`);
  }

  const image = `${name.toLowerCase()}:${version}`;
  const base = pinned(readFileSync(DOCKERFILE, 'utf8'));
  const folder = mkdtempSync(join(tmpdir(), 'cmk-image-'));
  const context = join(folder, 'context');
  const dockerfile = join(folder, 'Dockerfile');
  try {
    mkdirSync(context);
    writeFileSync(dockerfile, base.text);
    execFileSync('tar', ['-xzf', join(files, packed), '-C', context, '--strip-components=1']);

    const labels = {
      version,
      licenses: license,
      source: `https://github.com/${name.split('/').slice(1).join('/')}`,
      revision,
      'base.name': `docker.io/library/${base.tag}`,
      'base.digest': base.digest,
    };

    const said = Object.entries(labels).flatMap(([label, value]) =>
      value ? ['--label', `org.opencontainers.image.${label}=${value}`] : [],
    );
    docker(['build', '--pull', '--file', dockerfile, ...said, '--tag', image, context]);
  } finally {
    rmSync(folder, { recursive: true });
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
      pin: { type: 'boolean', default: false },
    },
  });
  if (values.pin) {
    const { text, tag, digest } = pinned(readFileSync(DOCKERFILE, 'utf8'));
    writeFileSync(DOCKERFILE, text);
    console.log(`${tag} is ${digest}: commit infra/cli/Dockerfile.`);
    process.exit();
  }
  if (values.name === undefined) throw new Error('--name ghcr.io/<owner>/<repository> is missing.');
  const { files, push } = values;
  const { image, digest } = makeImage({ files, push, name: values.name, revision: process.env.GITHUB_SHA });
  console.log(image, digest ?? '');
  const { GITHUB_OUTPUT: output } = process.env;
  if (output !== undefined && digest !== undefined) {
    appendFileSync(output, `name=${values.name.toLowerCase()}\ndigest=${digest}\n`);
  }
}
