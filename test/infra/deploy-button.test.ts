import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { eventParameters, readMainOutputs } from '../../scripts/infra/event-parameters.ts';
import { DEFAULT_AUTOFIX } from '../../src/settings/exemption.ts';
import { readSettings } from '../../src/settings/settings.ts';
import { completed, type DryAzure } from './arm/dry-azure.ts';
import { asArray, asObject, at, isObject, type JsonObject, strings } from './arm/json.ts';
import { dryRun, MAIN_PARAMETERS, OTHER_VAULT, template, VAULT } from './arm/templates.ts';

const PACKAGE = 'https://example.com/releases/download/v1.2.3/cmk-autopilot-app-1.2.3.zip';
const THIRD = '33333333-3333-3333-3333-333333333333';
/** The system topic that the templates make for a vault. */
const newTopic = (vault: string): string =>
  `${vault.replace(/Microsoft\.KeyVault.*/, '')}Microsoft.EventGrid/systemTopics/evgt-${vault.slice(vault.lastIndexOf('/') + 1)}`;
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
    expect(drift.autofix).toEqual([...DEFAULT_AUTOFIX, 'EventSubscriptionMissing', 'ChangesNotWatched']);
  });
});

describe('a system topic that a vault has already, in another subscription and by another name', () => {
  const topic = `/subscriptions/${THIRD}/resourceGroups/rg-events/providers/Microsoft.EventGrid/systemTopics/theirs`;
  const identities = { '/subscriptions/x/their/identity': { principalId: 'p', clientId: 'c' } };
  const there = {
    tags: { owner: 'them' },
    identity: { type: 'UserAssigned', userAssignedIdentities: identities },
    properties: { source: VAULT },
  };
  const alone = (systemTopics: JsonObject, existing: Record<string, JsonObject> = { [topic]: there }) =>
    dryRun('main', { ...MAIN_PARAMETERS, packageUri: PACKAGE, systemTopics }, { there: existing });

  /** A topic, and all that is made on it or because of it, but the event subscriptions, which may be the app's to make. */
  const around = (azure: DryAzure, id: string) => {
    const made = azure.resources.find((one) => one.id === id);
    const principal = made ? at(completed(made), 'identity', 'principalId') : undefined;
    return azure.resources.filter(
      (one) =>
        (one.id.startsWith(id) && !one.type.endsWith('/eventSubscriptions')) ||
        at(one.body, 'properties', 'principalId') === (principal ?? null) ||
        at(one.body, 'properties', 'scopes', 0) === id,
    );
  };

  it('is used in place of a new one, and keeps its tags and identities', async () => {
    const { azure } = await alone({ [VAULT.toUpperCase()]: ` ${topic}` });
    const topics = azure.ofType('Microsoft.EventGrid/systemTopics');
    expect(topics.map(({ body }) => at(body, 'properties', 'source'))).toEqual([VAULT, OTHER_VAULT]);
    expect(topics[0]).toMatchObject({
      id: topic,
      body: {
        tags: { owner: 'them' },
        identity: {
          type: 'SystemAssigned, UserAssigned',
          userAssignedIdentities: { '/subscriptions/x/their/identity': {} },
        },
      },
    });
    const settings = azure.ofType('Microsoft.Web/sites/config').find(({ id }) => id.endsWith('/appsettings'));
    const { drift } = readSettings(asObject(settings?.body.properties ?? null, 'settings') as Record<string, string>);
    expect(drift.systemTopics[VAULT.toLowerCase()]).toBe(topic);
  });

  it('gets by the template alone what it gets by azd: rights, dead letters, diagnostics, alerts', async () => {
    const { azure } = await alone({ [VAULT]: topic });
    const main = await dryRun('main', { ...MAIN_PARAMETERS, systemTopics: { [VAULT]: topic } });
    const outputs = Object.entries(main.outputs).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]);
    const found = { id: topic, name: 'theirs', ...there };
    const parameters = eventParameters(
      readMainOutputs({ ...Object.fromEntries(outputs), AZURE_ENV_NAME: 'test', AZURE_LOCATION: 'westeurope' }),
      [found],
    );
    const values = Object.entries(parameters).map(([name, { value }]) => [name, value]);
    const events = await dryRun('events', Object.fromEntries(values) as JsonObject);
    for (const id of [topic, newTopic(OTHER_VAULT)]) {
      expect(around(azure, id).length).toBeGreaterThanOrEqual(6);
      expect(around(azure, id)).toEqual(around(events.azure, id));
    }
  });

  it('is written under the same names again when it is the one that the template made, however it is spelled', async () => {
    const made = newTopic(VAULT);
    const spelled = made.toUpperCase();
    const first = await alone({});
    const again = await alone({ [VAULT]: spelled }, { [made]: there });
    expect(again.azure.resources.map(({ id }) => id)).toEqual(first.azure.resources.map(({ id }) => id));
    // And what others gave it since is kept.
    expect(again.azure.resources.find(({ id }) => id === made)?.body.tags).toEqual({ owner: 'them' });
  });

  it('counts for nothing where its vault is not looked after', async () => {
    const { azure } = await dryRun('main', {
      ...MAIN_PARAMETERS,
      managedVaults: [OTHER_VAULT],
      systemTopics: { [VAULT]: topic },
    });
    expect(azure.resources.filter(({ id }) => id.includes(THIRD))).toEqual([]);
  });
});

describe('the form of the deploy button', () => {
  const outputs = asObject(at(form, 'parameters', 'outputs') ?? null, 'outputs');
  const parameters = asObject(template('main').parameters ?? null, 'parameters');
  const elements = (): JsonObject[] => {
    const steps = asArray(at(form, 'parameters', 'steps') ?? null, 'steps');
    return [at(form, 'parameters', 'basics'), ...steps.map((step) => at(step, 'elements'))]
      .flatMap((list) => asArray(list ?? null, 'elements'))
      .map((one) => asObject(one, 'element'));
  };

  it('fills parameters that the template has, and every one that it needs', () => {
    expect(Object.keys(outputs).filter((name) => !(name in parameters))).toEqual([]);
    const required = Object.entries(parameters).filter(([, one]) => !('defaultValue' in asObject(one, 'parameter')));
    expect(required.map(([name]) => name).filter((name) => !(name in outputs))).toEqual([]);
  });

  it('takes them from elements that are there', () => {
    const names = (value: unknown): string[] =>
      (value as { name: string }[]).filter(({ name }) => name !== undefined).map(({ name }) => name);
    const basics = names(at(form, 'parameters', 'basics'));
    const steps = at(form, 'parameters', 'steps') as { name: string; elements: unknown }[];
    const named = [...steps.flatMap(({ name, elements: own }) => names(own).map((one) => `${name}.${one}`))];
    for (const text of strings(outputs)) {
      for (const [, name = ''] of text.matchAll(/basics\('(\w+)'\)/g)) expect(basics).toContain(name);
      for (const [, step, name] of text.matchAll(/steps\('(\w+)'\)\.(\w+)/g))
        expect(named).toContain(`${step}.${name}`);
    }
  });

  it('lets a person choose a storage that the region has, and confine which accounts are written', () => {
    const [sku] = elements().filter(({ name }) => name === 'storageSku');
    const { allowedValues, defaultValue } = asObject(parameters.storageSku ?? null, 'storageSku');
    const offered = asArray(at(sku ?? null, 'constraints', 'allowedValues') ?? [], 'allowedValues');
    expect(offered.map((one) => at(one, 'value'))).toEqual(allowedValues);
    // The default of a drop-down is a label.
    expect(offered.find((one) => at(one, 'label') === sku?.defaultValue)).toMatchObject({ value: defaultValue });

    const [groups] = elements().filter(({ name }) => name === 'storageResourceGroups');
    const takes = new RegExp(String(at(groups ?? null, 'constraints', 'regex')));
    const group = `/subscriptions/${THIRD}/resourceGroups/rg-files`;
    for (const right of ['', group, `${group},\n${group}2\n`, group.toLowerCase()]) expect(right).toMatch(takes);
    for (const wrong of ['rg-files', ' ', `${group},`, `${group}\n${group}2`, `${group}/providers/x/y/z`, VAULT])
      expect(wrong).not.toMatch(takes);
    expect(Object.keys(outputs)).toEqual(expect.arrayContaining(['storageSku', 'storageResourceGroups']));
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
    const topics = JSON.stringify({ [VAULT]: newTopic(VAULT), [OTHER_VAULT]: newTopic(OTHER_VAULT) });
    const pairs = patterns.map((text) => new RegExp(text)).find((pattern) => pattern.test(topics));
    expect(pairs?.test('')).toBe(true);
    expect(pairs?.test('{}')).toBe(true);
    // Space alone would be a list of one empty entry, as is what follows a last comma.
    for (const list of [` ${THIRD} , ${THIRD} `, 'a@example.com, b@example.com']) {
      const entries = patterns.map((text) => new RegExp(text)).find((pattern) => pattern.test(list));
      expect(['', '  ', `${list},`].map((text) => entries?.test(text))).toEqual([true, false, false]);
    }
    // As people put it on lines of its own.
    expect(pairs?.test(`${JSON.stringify(JSON.parse(topics), null, 2)}\n`)).toBe(true);
    expect(pairs?.test(newTopic(VAULT))).toBe(false);
    expect(pairs?.test(`{"${newTopic(VAULT)}":"${VAULT}"}`)).toBe(false);
  });
});
