import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const PROJECT = dirname(import.meta.dirname);

describe('the workflows', () => {
  const workflows = readdirSync(join(PROJECT, '.github/workflows'));
  const text = (name: string) => readFileSync(join(PROJECT, '.github/workflows', name), 'utf8');

  it('The workflows use every action by its commit', () => {
    const used = workflows.flatMap((name) => [...text(name).matchAll(/uses: (\S+)(.*)/g)]);
    expect(used.length).toBeGreaterThan(8);
    expect(
      used.filter(([, action = '', version = '']) => !/@[0-9a-f]{40}$/.test(action) || !/# v\d/.test(version)),
    ).toEqual([]);
  });

  it('The workflows run existing scripts, and keep no secret', () => {
    const scripts = workflows.flatMap((name) => [
      ...text(name).matchAll(/(?:node |- run: )((?:scripts|\.ci)\/[\w./-]+)/g),
    ]);
    expect(scripts.map(([, path]) => path)).toEqual(
      expect.arrayContaining(['scripts/release.ts', 'scripts/infra/deploy.ts', '.ci/run']),
    );
    expect(scripts.filter(([, path = '']) => !existsSync(join(PROJECT, path)))).toEqual([]);
    expect(workflows.filter((name) => /\bsecrets\./.test(text(name)))).toEqual([]);
  });

  it('The workflows let no job that tests, builds or runs code of packages write or sign a release', () => {
    const jobs = text('release.yml').split(/^ {2}(?=\w+:$)/m);
    const named = (name: string) => jobs.find((job) => job.startsWith(`${name}:`)) ?? '';
    expect(named('check')).toContain('.ci/run');
    // GitHub's own name for the repository: whose release it is.
    expect(named('build')).toContain('--repository "$GITHUB_REPOSITORY"');
    const mayWrite = jobs.filter((job) => /: write$/m.test(job));
    expect(mayWrite.map((job) => job.slice(0, job.indexOf(':')))).toEqual(['publish', 'image']);
    for (const job of mayWrite) expect(job).not.toMatch(/\b(?:npm|npx)\b|\.ci\/run|scripts\/release\.ts/);
  });

  it('The workflows build what is published with the Node of the setup step, of the version that the lockfile has', () => {
    const { devDependencies } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8'));

    for (const name of ['release.yml', 'deploy.yml']) {
      const job = text(name)
        .split(/^ {2}(?=\w+:$)/m)
        .find((one) => one.startsWith('build:'));
      expect(job, name).toMatch(new RegExp(`^ +node-version: ${devDependencies.node.replaceAll('.', '\\.')}$`, 'm'));

      // The package `node` fetches an executable that no lockfile holds, by its install script.
      expect(job, name).toMatch(/npm ci .*--ignore-scripts/);
      expect(job, name).not.toContain('npx');
    }
  });
});
