import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_AUTOFIX } from '../../src/settings/exemption.ts';
import { readSettings } from '../../src/settings/settings.ts';
import type { Resource } from './arm/deploy.ts';
import { completed, type DryAzure } from './arm/dry-azure.ts';
import { asArray, asObject, at, type JsonObject, strings } from './arm/json.ts';
import { dryRun, dryRunEvents, MAIN_PARAMETERS, mainWith, OTHER_VAULT, template, VAULT } from './arm/templates.ts';

const PACKAGE = 'https://example.com/releases/download/v1.2.3/cmk-autopilot-app-1.2.3.zip';
const THIRD = '33333333-3333-3333-3333-333333333333';
/** The system topic that the templates make for a vault. */
const newTopic = (vault: string): string =>
  `${vault.replace(/Microsoft\.KeyVault.*/, '')}Microsoft.EventGrid/systemTopics/evgt-${vault.slice(vault.lastIndexOf('/') + 1)}`;
const form = JSON.parse(
  readFileSync(new URL('../../infra/createUiDefinition.json', import.meta.url), 'utf8'),
) as JsonObject;

const TOPICS = 'Microsoft.EventGrid/systemTopics';

describe('a deployment by the template alone', () => {
  let azure: DryAzure;
  beforeAll(async () => {
    azure = await mainWith({ packageUri: PACKAGE });
  });

  it('A deployment by the template alone has the app fetch a released package, if it may read the container of packages', () => {
    const fetched = azure.resources.findIndex(({ type }) => type === 'Microsoft.Web/sites/extensions');
    const { id, body } = azure.resources[fetched] as Resource;
    expect(id).toMatch(/\/Microsoft\.Web\/sites\/func-cmk-test-\w+\/extensions\/onedeploy$/);
    expect(body.properties).toEqual({ packageUri: PACKAGE, remoteBuild: false });
    const rights = /\/storageAccounts\/stcmk\w+\/providers\/Microsoft\.Authorization\//;
    const given = azure.resources.findLastIndex((one) => rights.test(one.id));
    expect(given).toBeGreaterThan(-1);
    expect(given).toBeLessThan(fetched);
  });

  it('A deployment by the template alone creates the system topics, and leaves the subscriptions to the app, as no function exists yet', () => {
    expect(azure.values(TOPICS, 'source')).toEqual([VAULT, OTHER_VAULT]);
    expect(azure.ofType(`${TOPICS}/eventSubscriptions`)).toEqual([]);
    const { drift } = readSettings(azure.settings());
    expect(drift.autofix).toEqual([...DEFAULT_AUTOFIX, 'EventSubscriptionMissing', 'ChangesNotWatched']);
  });
});

describe('an existing system topic of a vault, in another subscription and by another name', () => {
  const topic = `/subscriptions/${THIRD}/resourceGroups/rg-events/providers/${TOPICS}/theirs`;
  const identities = { '/subscriptions/x/their/identity': { principalId: 'p', clientId: 'c' } };
  const there = {
    tags: { owner: 'them' },
    identity: { type: 'UserAssigned', userAssignedIdentities: identities },
    properties: { source: VAULT },
  };

  const alone = async (systemTopics: JsonObject, existing: Record<string, JsonObject> = { [topic]: there }) =>
    (await dryRun('main', { ...MAIN_PARAMETERS, packageUri: PACKAGE, systemTopics }, { there: existing })).azure;

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

  it('An existing system topic of a vault is used instead of a new one, and keeps its tags and identities', async () => {
    const azure = await alone({ [VAULT.toUpperCase()]: ` ${topic}` });
    expect(azure.values(TOPICS, 'source')).toEqual([VAULT, OTHER_VAULT]);
    const userAssignedIdentities = { '/subscriptions/x/their/identity': {} };
    const body = { tags: there.tags, identity: { type: 'SystemAssigned, UserAssigned', userAssignedIdentities } };
    expect(azure.ofType(TOPICS)[0]).toMatchObject({ id: topic, body });
    expect(readSettings(azure.settings()).drift.systemTopics[VAULT.toLowerCase()]).toBe(topic);
  });

  it('An existing system topic of a vault gets by the template alone what it gets by azd: rights, dead letters, diagnostics, alerts', async () => {
    const azure = await alone({ [VAULT]: topic });
    const main = await dryRun('main', { ...MAIN_PARAMETERS, systemTopics: { [VAULT]: topic } });
    const events = await dryRunEvents(main.outputs, [{ id: topic, name: 'theirs', ...there }]);
    for (const id of [topic, newTopic(OTHER_VAULT)]) {
      expect(around(azure, id).length).toBeGreaterThanOrEqual(6);
      expect(around(azure, id)).toEqual(around(events, id));
    }
  });

  it('An existing system topic of a vault is written again under the same names if the template created it, in any spelling', async () => {
    const made = newTopic(VAULT);
    const first = await alone({});
    const again = await alone({ [VAULT]: made.toUpperCase() }, { [made]: there });
    expect(again.resources.map(({ id }) => id)).toEqual(first.resources.map(({ id }) => id));
    // And what others gave it since is kept.
    expect(again.resources.find(({ id }) => id === made)?.body.tags).toEqual(there.tags);
  });

  it('An existing system topic of a vault is ignored if its vault is not managed', async () => {
    const azure = await mainWith({ managedVaults: [OTHER_VAULT], systemTopics: { [VAULT]: topic } });
    expect(azure.resources.filter(({ id }) => id.includes(THIRD))).toEqual([]);
  });
});

it('the template that updates an app writes its package, and reads the app alone', () => {
  const resources = Object.values(asObject(template('update').resources ?? null, 'resources')).map((one) =>
    asObject(one, 'resource'),
  );
  const written = resources.filter(({ existing }) => existing !== true);

  expect(written.map(({ type, properties }) => ({ type, properties }))).toEqual([
    {
      type: 'Microsoft.Web/sites/extensions',
      properties: { packageUri: "[parameters('packageUri')]", remoteBuild: false },
    },
  ]);
  expect(Object.keys(asObject(template('update').parameters ?? null, 'parameters'))).toEqual([
    'functionAppId',
    'packageUri',
  ]);
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

  it('The form of the deploy button fills parameters of the template, and every one that is required', () => {
    expect(Object.keys(outputs).filter((name) => !(name in parameters))).toEqual([]);
    const required = Object.entries(parameters).filter(([, one]) => !('defaultValue' in asObject(one, 'parameter')));
    expect(required.map(([name]) => name).filter((name) => !(name in outputs))).toEqual([]);
  });

  it('The form of the deploy button reads its parameters from elements that exist', () => {
    const names = (value: unknown): string[] =>
      (value as { name: string }[]).filter(({ name }) => name !== undefined).map(({ name }) => name);
    const basics = names(at(form, 'parameters', 'basics'));
    const steps = at(form, 'parameters', 'steps') as { name: string; elements: unknown }[];
    const named = [...steps.flatMap(({ name, elements: own }) => names(own).map((one) => `${name}.${one}`))];

    for (const text of strings(outputs)) {
      for (const [, name = ''] of text.matchAll(/basics\('(\w+)'\)/g)) expect(basics).toContain(name);
      for (const [, step, name] of text.matchAll(/steps\('(\w+)'\)\.(\w+)/g)) {
        expect(named).toContain(`${step}.${name}`);
      }
    }
  });

  it('The form of the deploy button offers a storage that the region has, and confines the accounts that are written', () => {
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
    for (const wrong of ['rg-files', ' ', `${group},`, `${group}\n${group}2`, `${group}/providers/x/y/z`, VAULT]) {
      expect(wrong).not.toMatch(takes);
    }

    expect(Object.keys(outputs)).toEqual(expect.arrayContaining(['storageSku', 'storageResourceGroups']));
  });

  it('The form of the deploy button asks for the parameters of the template', () => {
    const patterns = [...JSON.stringify(form).matchAll(/"regex":("(?:[^"\\]|\\.)*")/g)].map(
      ([, text = '']) => new RegExp(JSON.parse(text)),
    );
    const topics = JSON.stringify({ [VAULT]: newTopic(VAULT), [OTHER_VAULT]: newTopic(OTHER_VAULT) });
    const list = (text: string, more: readonly string[], wrong: readonly string[]) => ({ text, more, wrong });

    for (const { text, more, wrong } of [
      // Split at commas, two on lines of their own would be one id.
      list(
        VAULT,
        [`${VAULT}, ${OTHER_VAULT}`, `${VAULT},\n${OTHER_VAULT}\n`],
        ['kv-files', `${VAULT}\n${OTHER_VAULT}`],
      ),
      list(PACKAGE, [], []),
      // As people put it on lines of its own.
      list(
        topics,
        ['', '{}', `${JSON.stringify(JSON.parse(topics), null, 2)}\n`],
        [newTopic(VAULT), `{"${newTopic(VAULT)}":"${VAULT}"}`],
      ),
      // Space alone would be a list of one empty entry, as is what follows a last comma.
      list(` ${THIRD} , ${THIRD} `, [''], ['  ', ` ${THIRD} , ${THIRD} ,`]),
      list('a@example.com, b@example.com', [''], ['  ', 'a@example.com, b@example.com,']),
    ]) {
      const pattern = patterns.find((one) => one.test(text)) ?? /-/;
      for (const right of [text, ...more]) expect(right).toMatch(pattern);
      for (const other of wrong) expect(other).not.toMatch(pattern);
    }
  });
});
