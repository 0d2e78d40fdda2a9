import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TERRAFORM_VARIABLES, type TemplateParameters, terraformVariables } from '../../scripts/infra/terraform.ts';
import { template } from './arm/templates.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const main = read('infra/terraform/main.tf');
const variables = JSON.parse(read(TERRAFORM_VARIABLES)) as {
  variable: Record<string, { type: string; default?: null; nullable?: false }>;
  locals: { parameters: Record<string, string> };
};

describe('the Terraform module', () => {
  it('The Terraform module has every parameter of the template as a variable, and passes each on by its name', () => {
    const compiled = template('main') as unknown as TemplateParameters;
    expect(read(TERRAFORM_VARIABLES)).toBe(terraformVariables(compiled));
    const names = Object.keys(compiled.parameters).sort();
    expect(Object.keys(variables.variable)).toEqual(names);
    expect(variables.locals.parameters).toEqual(Object.fromEntries(names.map((name) => [name, `\${var.${name}}`])));
    expect(main).toContain('for name, value in local.parameters : name => { value = value } if value != null');
  });

  it('The Terraform module requires what the template requires, and leaves the defaults to it', () => {
    const needed = Object.entries(variables.variable).filter(([, one]) => one.nullable === false);
    expect(needed.map(([name]) => name)).toEqual(['environmentName', 'location', 'managedVaults']);
    expect(variables.variable.managedVaults?.type).toBe('list(string)');
    expect(variables.variable.settings?.type).toBe('map(string)');
    expect(variables.variable.systemTopics?.type).toBe('map(string)');
    expect(variables.variable.alwaysReadyHttp?.type).toBe('number');
    expect(Object.values(variables.variable).filter(({ type }) => type === 'any' || type === 'list(any)')).toEqual([]);
  });

  it('The Terraform module names its deployment by the region, as Azure requires', () => {
    expect(main).toContain(`substr("cmk-\${var.environmentName}-\${lower(replace(var.location, " ", ""))}", 0, 64)`);
  });
});
