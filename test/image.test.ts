import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { baseOf, makeImage } from '../scripts/release/image.ts';

const PROJECT = join(import.meta.dirname, '..');
const { version } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as { version: string };

/** Instructions of the Dockerfile, comments left out and continued lines joined. */
const instructions = readFileSync(join(PROJECT, 'infra/cli/Dockerfile'), 'utf8')
  .replaceAll('\\\n', ' ')
  .split('\n')
  .filter((line) => line.trim() !== '' && !line.startsWith('#'))
  .map((line) => ({ name: line.split(' ')[0] ?? '', rest: line.slice(line.indexOf(' ') + 1) }));
const all = (name: string) => instructions.filter((one) => one.name === name).map(({ rest }) => rest);

describe('the Dockerfile, by the rules of hadolint', () => {
  it('The Dockerfile has one base of one version (DL3006, DL3007), and a full digest if it has one', () => {
    const { devDependencies } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8'));
    const [base = '', ...more] = all('FROM');
    expect([base.replace(/@sha256:[0-9a-f]{64}$/, ''), ...more]).toEqual([
      `node:${devDependencies.node}-bookworm-slim`,
    ]);
  });

  it('The Dockerfile runs as a numeric user that is not root, from the last USER on (DL3002)', () => {
    const last = instructions.findLastIndex(({ name }) => name === 'USER');
    expect(instructions[last]?.rest).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(instructions.slice(last).map(({ name }) => name)).not.toContain('COPY');
  });

  it('The Dockerfile installs and downloads nothing, and copies into its own folders (DL3020, DL3008, DL4006)', () => {
    expect([...all('RUN'), ...all('ADD')]).toEqual([]);
    for (const copy of all('COPY')) expect(copy).toMatch(/^--chmod=0[45]\d\d .* \/opt\/cmk\//);
  });

  it('The Dockerfile has no secret, and its command as a list (DL3025, DL3000)', () => {
    expect(all('ARG')).toEqual([]);
    expect(all('ENV')).toEqual(['NODE_ENV=production']);
    for (const command of [...all('ENTRYPOINT'), ...all('CMD')]) expect(JSON.parse(command)).toBeInstanceOf(Array);
    for (const folder of all('WORKDIR')) expect(folder).toMatch(/^\//);
  });
});

/** Answers as docker does, and writes down what it was asked. */
const BASE = `sha256:${'0123456789abcdef'.repeat(4)}`;
const DOCKER = `#!/bin/sh
echo "$*" >> "$DOCKER_LOG"
case "$1" in
  build) for last; do :; done; grep ^FROM "$4" >> "$DOCKER_LOG"; ls "$last" | tr '\\n' ' ' >> "$DOCKER_LOG"; echo >> "$DOCKER_LOG" ;;
  run) case "$*" in *--entrypoint*) echo "\${DOCKER_USER:-1000}" ;; *) echo "${version}" ;; esac ;;
  inspect) case "$*" in *node:*) echo "other@sha256:0 node@\${DOCKER_BASE}" ;; *) echo "ghcr.io/owner/name@sha256:abc" ;; esac ;;
esac
`;

describe('the image', () => {
  let folder: string;
  const { PATH } = process.env;
  const log = () => readFileSync(join(folder, 'log'), 'utf8').trim().split('\n');
  const make = (push: boolean) =>
    makeImage({ files: join(folder, 'release'), name: 'ghcr.io/Owner/name', push, revision: 'c0ffee' });

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'image-'));
    for (const made of ['bin', 'release', 'package']) mkdirSync(join(folder, made));
    writeFileSync(join(folder, 'bin/docker'), DOCKER);
    chmodSync(join(folder, 'bin/docker'), 0o755);
    writeFileSync(join(folder, 'package/cmk.mjs'), '');
    execFileSync('tar', ['-czf', join(folder, `release/cmk-autopilot-${version}.tgz`), '-C', folder, 'package']);
    process.env.PATH = `${join(folder, 'bin')}:${PATH}`;
    process.env.DOCKER_LOG = join(folder, 'log');
    process.env.DOCKER_BASE = BASE;
  });

  afterAll(() => {
    process.env.PATH = PATH;
    delete process.env.DOCKER_LOG;
    delete process.env.DOCKER_BASE;
    delete process.env.DOCKER_USER;
    rmSync(folder, { recursive: true });
  });

  it('The image is built from the package of the release, tested, and pushed by its version', () => {
    expect(make(true)).toEqual({ image: `ghcr.io/owner/name:${version}`, digest: 'sha256:abc' });
    const seen = log();
    const [build = '', , files, ...then] = seen.slice(seen.findIndex((line) => line.startsWith('build')));
    expect(build).toMatch(/^build --pull --file .*\/Dockerfile .*image\.revision=c0ffee/);
    expect(files?.trim()).toBe('cmk.mjs');
    expect(then.map((line) => line.split(' ')[0])).toEqual(['run', 'run', 'push', 'inspect']);
    expect(then[0]).toContain('--network none --read-only');
  });

  it('The image is based on a digest, which its labels name', () => {
    const { tag, digest = BASE } = baseOf(readFileSync(join(PROJECT, 'infra/cli/Dockerfile'), 'utf8'));
    expect(log()).toContain(`FROM ${tag}@${digest}`);
    const build = log().find((line) => line.startsWith('build'));
    expect(build).toContain(`image.base.name=docker.io/library/${tag} `);
    expect(build).toContain(`image.base.digest=${digest} `);
  });

  it('An image that runs as root is rejected, and not pushed', () => {
    rmSync(join(folder, 'log'));
    process.env.DOCKER_USER = '0';
    expect(() => make(true)).toThrow('the user that it runs as should be 1000');
    expect(log().filter((line) => line.startsWith('push'))).toEqual([]);
  });
});
