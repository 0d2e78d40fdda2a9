import { describe, expect, it } from 'vitest';
import { deploy } from './arm/deploy.ts';
import { DryAzure } from './arm/dry-azure.ts';
import { AZURE_CLOUD, type CliContext, evaluate } from './arm/evaluate.ts';
import type { Json, JsonObject } from './arm/json.ts';
import { parseExpression } from './arm/parse-expression.ts';
import { SUBSCRIPTION, TENANT } from './arm/templates.ts';

const around: CliContext = {
  scope: { subscriptionId: SUBSCRIPTION, resourceGroup: 'rg' },
  tenantId: TENANT,
  deployerId: 'me',
  location: 'westeurope',
  deploymentName: 'main',
  cloud: AZURE_CLOUD,
  template: {
    variables: { list: ['a', 'b'], derived: "[format('{0}-{1}', variables('list')[0], parameters('name'))]" },
    functions: [
      {
        namespace: '__bicep',
        members: {
          lastOf: {
            parameters: [{ name: 'id', type: 'string' }],
            output: { type: 'string', value: "[last(split(parameters('id'), '/'))]" },
          },
        },
      },
    ],
  },
  parameters: { name: "it's", none: null },
  indexes: new Map([['', 1]]),
  lambdas: {},
  answerOf: (symbol) => ({ location: 'northeurope', properties: { symbol } }),
};

describe('template expressions', () => {
  it.each<[string, Json]>([
    ["[variables('derived')]", "a-it's"],
    ["[__bicep.lastOf('/x/y')]", 'y'],
    ["[if(equals(1, 2), reference('gone').nothing, 'kept')]", 'kept'],
    ["[reference('vault').symbol]", 'vault'],
    ["[reference('vault', '2024-11-01', 'full').location]", 'northeurope'],
    ["[filter(variables('list'), lambda('item', not(equals(lambdaVariables('item'), 'a'))))]", ['b']],
    ["[contains('/managedHSMs/x', '/managedHSMs/')]", true],
    ["[map(variables('list'), lambda('item', concat(lambdaVariables('item'), '!')))]", ['a!', 'b!']],
    [
      "[resourceId('Microsoft.A/b/c', 'x', 'y')]",
      `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.A/b/x/c/y`,
    ],
    ["[subscriptionResourceId('s2', 'Microsoft.A/b', 'x')]", '/subscriptions/s2/providers/Microsoft.A/b/x'],
    ["[tenantResourceId('Microsoft.A/b', 'x')]", '/providers/Microsoft.A/b/x'],
    [
      "[union(createObject('a', createObject('b', 1)), createObject('a', createObject('c', 2)))]",
      { a: { b: 1, c: 2 } },
    ],
    ["[union(createArray('a', 'b'), createArray('b', 'c'))]", ['a', 'b', 'c']],
    ["[tryGet(parameters('none'), 'deep')]", null],
    ["[coalesce(parameters('none'), 'fallback')]", 'fallback'],
    ["[variables('list')[copyIndex()]]", 'b'],
    ['[[not an expression]', '[not an expression]'],
    ['plain', 'plain'],
  ])('%s', (text, expected) => {
    expect(evaluate(text, around)).toEqual(expected);
  });

  it.each(["concat('a'", "concat('a'))", 'concat(#)', "'a' 'b'"])('refuses %s', (text) => {
    expect(() => parseExpression(text)).toThrow(SyntaxError);
  });

  it.each([
    ["[neverHeardOf('x')]", /neverHeardOf/],
    ["[parameters('missing')]", /parameter missing/],
    ["[variables('list')[7]]", /There is no 7/],
  ])('says what is wrong with %s', (text, problem) => {
    expect(() => evaluate(text, around)).toThrow(problem);
  });
});

describe('deployment', () => {
  const target = { subscriptionId: SUBSCRIPTION, resourceGroup: 'rg' };
  const run = (template: JsonObject, azure: DryAzure, parameters: JsonObject = {}) =>
    deploy({ template, parameters, scope: target, location: 'westeurope', tenantId: TENANT, deployerId: 'me' }, azure);
  const resource = (more: JsonObject): JsonObject => ({ type: 'Microsoft.A/b', apiVersion: '1', ...more });

  it('puts what others depend on first, whatever the order in the template', async () => {
    const azure = new DryAzure();
    await run(
      { resources: { second: resource({ name: 'two', dependsOn: ['first'] }), first: resource({ name: 'one' }) } },
      azure,
    );
    expect(azure.resources.map(({ id }) => id.split('/').at(-1))).toEqual(['one', 'two']);
  });

  it('leaves out what its condition rules out', async () => {
    const azure = new DryAzure();
    await run({ resources: { no: resource({ name: 'no', condition: "[equals('a', 'b')]" }) } }, azure);
    expect(azure.resources).toEqual([]);
  });

  it('repeats a loop for each turn', async () => {
    const azure = new DryAzure();
    await run(
      {
        resources: {
          many: resource({
            name: "[format('n{0}', copyIndex())]",
            copy: { name: 'many', count: '[length(createArray(1, 2))]' },
          }),
        },
      },
      azure,
    );
    expect(azure.resources.map(({ id }) => id.split('/').at(-1))).toEqual(['n0', 'n1']);
  });

  it('refuses a parameter that is missing, and one that the template does not have', async () => {
    const template = { parameters: { needed: { type: 'string' } }, resources: {} };
    await expect(run(template, new DryAzure())).rejects.toThrow('needed is missing');
    await expect(run(template, new DryAzure(), { needed: 'x', other: 'y' })).rejects.toThrow('no parameter other');
  });

  it('refuses a value that the template does not allow', async () => {
    const template = { parameters: { one: { type: 'string', allowedValues: ['a', 'b'] } }, resources: {} };
    await expect(run(template, new DryAzure(), { one: 'c' })).rejects.toThrow('one is "c", and not one of ["a","b"]');
  });

  it('refuses resources that wait for each other', async () => {
    const template = {
      resources: { a: resource({ name: 'a', dependsOn: ['b'] }), b: resource({ name: 'b', dependsOn: ['a'] }) },
    };
    await expect(run(template, new DryAzure())).rejects.toThrow('a → b → a');
  });
});
