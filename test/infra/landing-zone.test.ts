import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Account } from '../../src/accounts/account.ts';
import { planChangeKey, planDisable, planEnable } from '../../src/cli/procedures/account/account-plan.ts';
import { withKeyVersion } from '../../src/controller/plan.ts';
import { readRecording, recordingNames } from '../local-azure/replay/recording.ts';
import type { DryAzure } from './arm/dry-azure.ts';
import { asObject, at, isObject, type Json, type JsonObject } from './arm/json.ts';
import { dryRun, mainWith, profileParameters } from './arm/templates.ts';
import { DEFINITIONS, violated } from './policies.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const guide = read('docs/how-to/landing-zone.md');

/** Ids of the definitions that any resource of a deployment does not comply with. */
const violatedBy = ({ resources }: DryAzure): string[] => [
  ...new Set(resources.flatMap(({ type, body }) => violated(type, body).map(({ id }) => id))),
];

/** Rows of the guide's tables below a heading, cells by column. */
function rows(heading: string): string[][] {
  const [, chapter = ''] = guide.split(`\n## ${heading}\n`);
  const lines = (chapter.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| '));
  return lines.slice(1).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const idIn = (cell = ''): string => /`([\w-]+)`/.exec(cell)?.[1] ?? '';

describe('the landing-zone profile', () => {
  const LANDING_ZONE = profileParameters('landing-zone');
  let plain: DryAzure;
  let profile: DryAzure;
  beforeAll(async () => {
    plain = await mainWith({ separateAuditStorage: true });
    profile = (await dryRun('main', { ...LANDING_ZONE, separateAuditStorage: true })).azure;
  });

  it('The landing-zone profile complies with every definition except one on function apps, for which there is an exemption', () => {
    const exempted = read('infra/exemptions/function-app.bicep').match(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g);
    expect(violatedBy(profile).filter((id) => !exempted?.includes(id))).toEqual([]);
    expect(violatedBy(profile)).toEqual(exempted);
  });

  it('The guide describes the landing-zone profile, and each definition with which the default profile does not comply', () => {
    const table = rows('What refuses the app');
    expect(table.map(([definition]) => idIn(definition)).sort()).toEqual(violatedBy(plain).sort());

    for (const [definition, effect, inProfile] of table) {
      const id = idIn(definition);
      const found = DEFINITIONS.find((one) => one.id === id);
      expect(effect, id).toBe(found?.effect);
      expect(inProfile, id).toBe(violatedBy(profile).includes(id) ? 'exemption' : 'complies');
    }
  });

  it('The landing-zone profile reads from the environment what it does not set, as the other parameter file does', () => {
    const names = (file: string) => [...read(`infra/${file}`).matchAll(/^param (\w+)/gm)].map(([, name]) => name);
    expect(names('main.landing-zone.bicepparam')).toEqual(names('main.bicepparam'));
  });

  it('The landing-zone profile loses only dead letters, as the default keeps Event Grid as a trusted service', () => {
    const network = (azure: DryAzure) =>
      azure
        .values('Microsoft.Storage/storageAccounts')
        .map((properties) => [at(properties, 'publicNetworkAccess'), at(properties, 'networkAcls', 'bypass')]);
    expect(network(profile)).toEqual([0, 1, 2].map(() => ['Disabled', 'None']));
    expect(network(plain)).toEqual([0, 1, 2].map(() => ['Enabled', 'AzureServices']));
  });
});

describe('a PATCH of the app', () => {
  const KEY = { vaultUri: 'https://kv-files.vault.azure.net', keyName: 'files' };
  const OTHER = { id: 'o', name: 'other', vault: { uri: 'https://kv-other.vault.azure.net' } };
  const VERSION = '0123456789abcdef0123456789abcdef';
  const IDENTITY =
    '/subscriptions/s/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-files';

  const answers = recordingNames().flatMap((name) =>
    readRecording(name).pairs.flatMap(({ response }) => resourcesIn(response as Json)),
  );
  const accounts = answers.filter(({ type }) => type === 'Microsoft.Storage/storageAccounts');
  const scopes = answers.filter(({ type }) => type === 'Microsoft.Storage/storageAccounts/encryptionScopes');

  /** The account with other encryption settings, as Azure Policy sees a PATCH: what it names, over what is there. */
  const patched = (body: JsonObject, encryption: unknown): JsonObject => ({
    ...body,
    properties: { ...asObject(body.properties, 'properties'), encryption: encryption as Json },
  });

  const newly = (type: string, before: JsonObject, after: JsonObject): string[] => {
    const already = violated(type, before).map(({ id }) => id);
    return violated(type, after).flatMap(({ id }) => (already.includes(id) ? [] : id));
  };

  /** Each kind of change to an account's encryption that the app or its command line writes. */
  function changes(account: Account): Record<string, unknown> {
    const { encryption } = account;
    const isManaged = encryption.keySource?.toLowerCase() === 'microsoft.keyvault';
    const written = (plan: ReturnType<typeof planDisable>) => (plan.write ? plan.encryption : encryption);

    if (!isManaged) return { enable: written(planEnable(account, { ...KEY, pin: undefined }, IDENTITY, true)) };

    return {
      move: withKeyVersion(encryption, VERSION),
      refresh: withKeyVersion(encryption, ''),
      rekey: withKeyVersion(encryption, VERSION, OTHER as never),
      changeKey: written(planChangeKey(account, { ...KEY, pin: VERSION })),
      disable: written(planDisable(account)),
    };
  }

  it('A PATCH of the app breaks no rule with which the account complied, except that on queues and tables without its key', () => {
    expect(accounts.length).toBeGreaterThan(20);

    const broken = accounts.flatMap((body) =>
      Object.entries(changes(toAccount(body))).flatMap(([change, encryption]) =>
        newly('Microsoft.Storage/storageAccounts', body, patched(body, encryption)).map((id) => `${change} ${id}`),
      ),
    );

    const named = rows('What refuses a change of your accounts').map(([definition]) => `enable ${idIn(definition)}`);
    expect(new Set(broken)).toEqual(new Set(named));
  });

  it('A PATCH of the app breaks no rule with which the encryption scope complied', () => {
    expect(scopes.length).toBeGreaterThan(2);

    for (const body of scopes) {
      const properties = { ...asObject(body.properties, 'properties'), source: 'Microsoft.KeyVault' };
      expect(newly(String(body.type), body, { ...body, properties })).toEqual([]);
    }
  });

  it('The check detects a PATCH that would break a rule', () => {
    const [body = {}] = accounts;
    const open = { ...body, properties: { allowCrossTenantReplication: true } };
    const closed = { ...body, properties: { allowCrossTenantReplication: false } };
    expect(newly('Microsoft.Storage/storageAccounts', closed, open)).toEqual(['92a89a79-6c52-4a7e-a03f-61306fc49312']);
  });

  /** An answer of Azure, and what a list has. */
  function resourcesIn(response: Json): JsonObject[] {
    if (!isObject(response)) return [];
    const listed = Array.isArray(response.value) ? response.value : [];
    return [response, ...listed].filter((one) => isObject(one)).filter((one) => isObject(one.properties));
  }

  function toAccount(body: JsonObject): Account {
    const { keyvaultproperties, ...encryption } = asObject(at(body, 'properties', 'encryption') ?? {}, 'encryption');
    const { keyname, keyversion, keyvaulturi } = asObject(keyvaultproperties ?? {}, 'keyvaultproperties');
    const keyVaultProperties = { keyName: keyname, keyVersion: keyversion, keyVaultUri: keyvaulturi };

    return {
      name: String(body.name),
      userAssignedIdentities: [],
      encryption: { ...encryption, ...(keyvaultproperties ? { keyVaultProperties } : {}) },
    } as unknown as Account;
  }
});
