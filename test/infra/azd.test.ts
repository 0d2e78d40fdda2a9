import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** What a hook of azure.yaml runs. */
function hook(name: string): string {
  const run = new RegExp(`^ +${name}:\\n(?: +#.*\\n| +(?!run:).*\\n)*? +run: (.+)$`, 'm').exec(read('azure.yaml'))?.[1];
  if (!run) throw new Error(`azure.yaml has no hook ${name}`);
  return run;
}

describe('azure.yaml', () => {
  it('runs scripts that are there', () => {
    const scripts = ['preprovision', 'prepackage', 'postdeploy', 'predown'].flatMap((name) =>
      [...hook(name).matchAll(/\b(?:infra|scripts)\/[\w./-]+/g)].map(([path]) => path),
    );
    expect(scripts).toEqual(['infra/entra.sh', 'scripts/infra/deploy-events.ts', 'infra/down.sh']);
    expect(scripts.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it('deploys the folder that the bundle is written to, as it is', () => {
    expect(read('azure.yaml')).toMatch(/^ {4}dist: dist\/app$/m);
    expect(read('azure.yaml')).toMatch(/^ {4}remoteBuild: false$/m);
    expect(hook('prepackage')).toContain('npm run bundle');
  });

  it('asks for an azd that knows all of it', () => {
    // language: custom came with 1.20.0 (cli/azd/CHANGELOG.md).
    expect(read('azure.yaml')).toMatch(/^requiredVersions:\n {2}azd: ">= 1\.20\.0"$/m);
  });

  it('never lets azd delete the resource groups of the vaults and the accounts', () => {
    const answer = spawnSync('sh', ['-c', hook('predown')], {
      cwd: root,
      encoding: 'utf8',
      env: { PATH: process.env.PATH, AZURE_ENV_NAME: 'prod', AZURE_RESOURCE_GROUP: 'rg-cmk-prod' },
    });
    expect(answer.status).toBe(1);
    expect(answer.stderr).toContain('az group delete --name rg-cmk-prod');
    expect(read('azure.yaml')).not.toContain('continueOnError');
    expect(read('docs/deploy.md')).toContain('az group delete -n');
  });
});
