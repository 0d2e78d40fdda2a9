import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_AUTOFIX } from '../../src/settings/fixable.ts';
import { readSettings } from '../../src/settings/settings.ts';
import type { DryAzure } from './arm/dry-azure.ts';
import { asObject, at, isObject, type JsonObject, strings } from './arm/json.ts';
import { dryRun, MAIN_PARAMETERS, OTHER_VAULT, template, VAULT } from './arm/templates.ts';

const PACKAGE = 'https://example.com/releases/download/v1.2.3/cmk-autopilot-app-1.2.3.zip';
const form = JSON.parse(
  readFileSync(new URL('../../infra/createUiDefinition.json', import.meta.url), 'utf8'),
) as JsonObject;

describe('a deployment by the template alone', () => {
  let azure: DryAzure;
  beforeAll(async () => {
    ({ azure } = await dryRun('main', { ...MAIN_PARAMETERS, packageUri: PACKAGE }));
  });

  it('has the app fetch a released package, when it may read where packages are kept', () => {
    const [deployed] = azure.ofType('Microsoft.Web/sites/extensions');
    expect(deployed?.id).toMatch(/\/Microsoft\.Web\/sites\/func-cmk-test-\w+\/extensions\/onedeploy$/);
    expect(deployed?.body.properties).toEqual({ packageUri: PACKAGE, remoteBuild: false });
    const order = azure.resources.map(({ id }) => id);
    const storage = azure.resources.findLastIndex(({ id }) =>
      /\/storageAccounts\/stcmk\w+\/providers\/Microsoft\.Authorization\//.test(id),
    );
    expect(storage).toBeGreaterThan(-1);
    expect(storage).toBeLessThan(order.indexOf(deployed?.id ?? ''));
  });

  it('makes the system topics, and leaves the subscriptions to the app: there is no function yet to aim them at', () => {
    expect(
      azure.ofType('Microsoft.EventGrid/systemTopics').map(({ body }) => at(body, 'properties', 'source')),
    ).toEqual([VAULT, OTHER_VAULT]);
    expect(azure.ofType('Microsoft.EventGrid/systemTopics/eventSubscriptions')).toEqual([]);
    const settings = azure.ofType('Microsoft.Web/sites/config').find(({ id }) => id.endsWith('/appsettings'));
    const { drift } = readSettings(asObject(settings?.body.properties ?? null, 'settings') as Record<string, string>);
    expect(drift.autofix).toEqual([...DEFAULT_AUTOFIX, 'EventSubscriptionMissing']);
  });

  it('leaves a system topic that is there as it is', async () => {
    const topic = VAULT.replace(/Microsoft\.KeyVault.*/, 'Microsoft.EventGrid/systemTopics/theirs');
    const { azure: kept } = await dryRun('main', {
      ...MAIN_PARAMETERS,
      packageUri: PACKAGE,
      systemTopics: { [VAULT.toUpperCase()]: topic },
    });
    expect(kept.ofType('Microsoft.EventGrid/systemTopics').map(({ body }) => at(body, 'properties', 'source'))).toEqual(
      [OTHER_VAULT],
    );
  });
});

describe('the form of the deploy button', () => {
  const outputs = asObject(at(form, 'parameters', 'outputs') ?? null, 'outputs');
  const parameters = asObject(template('main').parameters ?? null, 'parameters');

  it('fills parameters that the template has, and every one that it needs', () => {
    expect(Object.keys(outputs).filter((name) => !(name in parameters))).toEqual([]);
    const required = Object.entries(parameters).filter(([, one]) => !('defaultValue' in asObject(one, 'parameter')));
    expect(required.map(([name]) => name).filter((name) => !(name in outputs))).toEqual([]);
  });

  it('takes them from elements that are there', () => {
    const elements = (value: unknown): string[] =>
      (value as { name: string }[]).filter(({ name }) => name !== undefined).map(({ name }) => name);
    const basics = elements(at(form, 'parameters', 'basics'));
    const steps = at(form, 'parameters', 'steps') as { name: string; elements: unknown }[];
    const named = [...steps.flatMap(({ name, elements: own }) => elements(own).map((one) => `${name}.${one}`))];
    for (const text of strings(outputs)) {
      for (const [, name = ''] of text.matchAll(/basics\('(\w+)'\)/g)) expect(basics).toContain(name);
      for (const [, step, name] of text.matchAll(/steps\('(\w+)'\)\.(\w+)/g))
        expect(named).toContain(`${step}.${name}`);
    }
  });

  it('asks for what the template takes', () => {
    const patterns: string[] = [];
    const visit = (value: unknown): void => {
      if (Array.isArray(value)) value.forEach(visit);
      else if (isObject(value as JsonObject)) {
        for (const [name, one] of Object.entries(value as JsonObject)) {
          if (name === 'regex') patterns.push(String(one));
          else visit(one);
        }
      }
    };
    visit(form);
    const vaults = patterns.map((text) => new RegExp(text)).find((pattern) => pattern.test(VAULT));
    expect(vaults?.test(`${VAULT}, ${OTHER_VAULT}`)).toBe(true);
    expect(vaults?.test(`${VAULT},\n${OTHER_VAULT}\n`)).toBe(true);
    expect(vaults?.test('kv-files')).toBe(false);
    // Split at commas, the two would be one id.
    expect(vaults?.test(`${VAULT}\n${OTHER_VAULT}`)).toBe(false);
    expect(patterns.some((text) => new RegExp(text).test(PACKAGE))).toBe(true);
  });
});
