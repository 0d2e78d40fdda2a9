import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROJECT, useCommands } from './commands.ts';

const commands = useCommands();
const read = (path: string): string => readFileSync(join(PROJECT, path), 'utf8');

/** What a hook of azure.yaml runs. */
function hook(name: string): string {
  const run = new RegExp(`^ +${name}:\\n(?: +#.*\\n| +(?!run:).*\\n)*? +run: (.+)$`, 'm').exec(read('azure.yaml'))?.[1];
  if (!run) throw new Error(`azure.yaml has no hook ${name}`);
  return run;
}

describe('azure.yaml', () => {
  it('azure.yaml runs scripts that exist', () => {
    const scripts = ['preprovision', 'postdeploy', 'predown'].flatMap((name) =>
      [...hook(name).matchAll(/\b(?:infra|scripts)\/[\w./-]+/g)].map(([path]) => path),
    );
    expect(scripts).toEqual([
      'infra/tenant.sh',
      'infra/entra.sh',
      'scripts/infra/find-topics.ts',
      'scripts/infra/deploy-events.ts',
      'infra/entra.sh',
      'infra/down.sh',
    ]);

    expect(scripts.filter((path) => !existsSync(join(PROJECT, path)))).toEqual([]);
  });

  it('azure.yaml deploys the folder of the bundle unchanged', () => {
    expect(read('azure.yaml')).toMatch(/^ {4}dist: dist\/app$/m);
    expect(read('azure.yaml')).toMatch(/^ {4}remoteBuild: false$/m);
    // Of language "custom" azd takes `dist` from the folder that it is called in; of "js", below the project.
    expect(read('azure.yaml')).toMatch(/^ {4}language: js$/m);
    // What azd runs for it.
    expect(JSON.parse(read('package.json')).scripts.build).toBe('npm run bundle');
  });

  it('The project has no .funcignore, as one that excludes node_modules makes azd deploy nothing with remoteBuild: false', () => {
    expect(existsSync(join(PROJECT, '.funcignore'))).toBe(false);
  });

  it('azure.yaml makes changes only in project hooks, which azd does not run in a preview', () => {
    // HooksMiddleware is left out of `azd provision --preview`, and runs every hook of a project (Azure/azure-dev,
    // cli/azd/cmd/root.go, in each version from 1.23.13 to 1.31.2; #9252).
    const [, hooks = ''] = /^hooks:\n((?: .*\n)+)/m.exec(read('azure.yaml')) ?? [];
    expect([...hooks.matchAll(/^ {2}(\w+):$/gm)].map(([, name]) => name)).toEqual([
      'preprovision',
      'postdeploy',
      'predown',
    ]);
    expect(read('azure.yaml').match(/\brun: /g)).toHaveLength(3);
  });

  it('azure.yaml provisions each time: azd skips a template that it has deployed before, whatever happened to it', () => {
    const steps = [...read('azure.yaml').matchAll(/^ {6}- azd: (.+)$/gm)].map(([, step]) => step);
    expect(steps).toEqual(['package --all', 'provision --no-state', 'deploy --all']);
  });

  it.each([
    ['the same tenant', { AZ_TENANT: 't1', AZ_SUBSCRIPTION_TENANT: 't1' }, 0, ''],
    ['another tenant', { AZ_TENANT: 't1', AZ_SUBSCRIPTION_TENANT: 't2' }, 1, 'az account set --subscription s1'],
    ['a subscription that az does not see', { AZ_TENANT: 't1' }, 1, 'az login --tenant'],
    ['no sign-in', {}, 1, 'az login'],
  ])('azure.yaml compares the sign-ins of azd and az: %s', (_, tenants, status, says) => {
    commands.put(
      'az',
      'case "$*" in *--subscription*) answer=$AZ_SUBSCRIPTION_TENANT ;; *) answer=$AZ_TENANT ;; esac\n[ -n "$answer" ] && echo "$answer"',
    );
    const answer = commands.run('sh', ['infra/tenant.sh'], { AZURE_SUBSCRIPTION_ID: 's1', ...tenants });
    expect(answer.stderr).toContain(says);
    expect(answer.status).toBe(status);
  });

  it('azure.yaml requires an azd that has remoteBuild for functions, and reads a .funcignore as git does', () => {
    // 1.23.5 and 1.23.13 (cli/azd/CHANGELOG.md, PR 6748 and 7311).
    expect(read('azure.yaml')).toMatch(/^requiredVersions:\n {2}azd: ">= 1\.23\.13"$/m);
    expect(read('docs/how-to/deploy-azd.md')).toContain('[azd](https://aka.ms/azd-install) 1.23.13 or newer');
  });

  it('azure.yaml never lets azd delete the resource groups of the vaults and the accounts', () => {
    const environment = { AZURE_ENV_NAME: 'prod', AZURE_RESOURCE_GROUP: 'rg-cmk-prod' };
    const answer = commands.run('sh', ['-c', hook('predown')], environment);
    expect(answer.status).toBe(1);
    expect(answer.stderr).toContain('az group delete --name rg-cmk-prod');
    expect(read('azure.yaml')).not.toContain('continueOnError');
    expect(read('docs/how-to/uninstall.md')).toContain('az group delete -n');
  });
});
