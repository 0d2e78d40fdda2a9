import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TERRAFORM_VARIABLES, type TemplateParameters, terraformVariables } from '../../scripts/infra/terraform.ts';
import { MAIN_PARAMETERS, SUBSCRIPTION, template, VAULT } from './arm/templates.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const main = read('infra/terraform/main.tf');
const variables = JSON.parse(read(TERRAFORM_VARIABLES)) as {
  variable: Record<string, { type: string; default?: null; nullable?: false }>;
  locals: { parameters: Record<string, string> };
};

describe('the Terraform module', () => {
  it('has the parameters of the template for variables, every one, and hands each over by its name', () => {
    const compiled = template('main') as unknown as TemplateParameters;
    expect(read(TERRAFORM_VARIABLES)).toBe(terraformVariables(compiled));
    const names = Object.keys(compiled.parameters).sort();
    expect(Object.keys(variables.variable)).toEqual(names);
    expect(variables.locals.parameters).toEqual(Object.fromEntries(names.map((name) => [name, `\${var.${name}}`])));
    expect(main).toContain('for name, value in local.parameters : name => { value = value } if value != null');
  });

  it('asks for what the template needs, and leaves the rest to it', () => {
    const needed = Object.entries(variables.variable).filter(([, one]) => one.nullable === false);
    expect(needed.map(([name]) => name)).toEqual(['environmentName', 'location', 'managedVaults']);
    expect(variables.variable.managedVaults?.type).toBe('list(string)');
    expect(variables.variable.settings?.type).toBe('map(string)');
    expect(variables.variable.systemTopics?.type).toBe('map(string)');
    expect(variables.variable.alwaysReadyHttp?.type).toBe('number');
    expect(Object.values(variables.variable).filter(({ type }) => type === 'any' || type === 'list(any)')).toEqual([]);
  });

  // The provider is not to be had everywhere: what Terraform itself carries stands in for it, with the same arguments.
  it.runIf(spawnSync('terraform', ['version']).status === 0)(
    'is valid for Terraform, which sends what was set',
    () => {
      const folder = mkdtempSync(join(tmpdir(), 'cmk-terraform-'));
      try {
        mkdirSync(join(folder, 'module'));
        copyFileSync(join(root, 'infra/azuredeploy.json'), join(folder, 'azuredeploy.json'));
        copyFileSync(join(root, TERRAFORM_VARIABLES), join(folder, 'module/variables.tf.json'));
        const standIn = main
          .replace(/^ {2}required_providers \{[\s\S]*?^ {2}\}\n/m, '')
          .replace(
            /^resource "azapi_resource" "deployment" \{([\s\S]*?)^\}/m,
            'resource "terraform_data" "deployment" {\n  input = {$1}\n}',
          )
          .replace('azapi_resource.deployment.output.properties.outputs', 'terraform_data.deployment.output');
        writeFileSync(join(folder, 'module/main.tf'), standIn);
        const set = {
          ...MAIN_PARAMETERS,
          subscriptionId: SUBSCRIPTION,
          settings: { CMK_DUAL_CONTROL: 'on' },
          systemTopics: { [VAULT]: `/subscriptions/${SUBSCRIPTION}/their/topic` },
        };
        writeFileSync(join(folder, 'module/set.auto.tfvars.json'), JSON.stringify(set));
        const terraform = (...args: string[]): string =>
          execFileSync('terraform', [`-chdir=${join(folder, 'module')}`, ...args], {
            encoding: 'utf8',
            maxBuffer: 16 * 1024 * 1024,
            env: { ...process.env, CHECKPOINT_DISABLE: '1' },
            stdio: ['ignore', 'pipe', 'pipe'],
          });
        terraform('init', '-backend=false', '-input=false');
        expect(JSON.parse(terraform('validate', '-json')).valid).toBe(true);
        terraform('plan', '-input=false', '-out=plan');
        const plan = JSON.parse(terraform('show', '-json', 'plan'));
        const { input } = plan.planned_values.root_module.resources[0].values;
        expect(input).toMatchObject({ name: 'cmk-test-westeurope', parent_id: `/subscriptions/${SUBSCRIPTION}` });
        expect(input.body.properties.template).toEqual(template('main'));
        const { subscriptionId: _, ...parameters } = set;
        expect(input.body.properties.parameters).toEqual(
          Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, { value }])),
        );
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
    60_000,
  );

  it('names its deployment by the region, which Azure insists on', () => {
    expect(main).toContain(`substr("cmk-\${var.environmentName}-\${lower(replace(var.location, " ", ""))}", 0, 64)`);
  });
});
