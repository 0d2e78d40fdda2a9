import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { BANK_PARAMETERS } from '../../scripts/infra/templates.ts';
import type { DryAzure } from './arm/dry-azure.ts';
import { asArray, asObject, asString, at, isObject, type JsonObject } from './arm/json.ts';
import { dryRun, MAIN_PARAMETERS } from './arm/templates.ts';

/** What infra/main.bank.bicepparam comes to (`npm run infra` compiles it), in an environment of its own. */
const compiled = asObject(
  JSON.parse(readFileSync(new URL(`../../${BANK_PARAMETERS.compiled}`, import.meta.url), 'utf8')).parameters,
  'parameters',
);
const BANK: JsonObject = Object.fromEntries(
  Object.entries(compiled).map(([name, entry]) => [name, asObject(entry, name).value ?? null]),
);

let bank: DryAzure;
let plain: DryAzure;
beforeAll(async () => {
  bank = (await dryRun('main', BANK)).azure;
  plain = (await dryRun('main', MAIN_PARAMETERS)).azure;
});

const categories = (azure: DryAzure, on: RegExp): string[] =>
  azure
    .ofType('Microsoft.Insights/diagnosticSettings')
    .filter(({ id }) => on.test(id))
    .flatMap(({ body }) => asArray(at(body, 'properties', 'logs') ?? [], 'logs'))
    .map((log) => asString(at(log, 'category') ?? at(log, 'categoryGroup') ?? null, 'category'));
const site = (azure: DryAzure) => asObject(azure.ofType('Microsoft.Web/sites')[0]?.body.properties, 'site');
const count = (azure: DryAzure, type: string): number => azure.ofType(type).length;

const sourceOf = (file: string): string => readFileSync(new URL(`../../infra/${file}`, import.meta.url), 'utf8');
const parametersOf = (file: string): string[] =>
  [...sourceOf(file).matchAll(/^param (\w+)/gm)].map(([, name]) => name ?? '');

describe('the bank profile', () => {
  it('reads from the environment what it does not set, as the other parameter file does', () => {
    expect(parametersOf('main.bank.bicepparam')).toEqual(expect.arrayContaining(parametersOf('main.bicepparam')));
  });

  it('closes the app and its deployment service to all but the ranges that are named', () => {
    const config = at(site(bank), 'siteConfig');
    const caller = { action: 'Allow', ipAddress: '203.0.113.0/24' };
    expect(config).toMatchObject({
      ipSecurityRestrictionsDefaultAction: 'Deny',
      scmIpSecurityRestrictionsDefaultAction: 'Deny',
      scmIpSecurityRestrictionsUseMain: false,
      scmIpSecurityRestrictions: [caller],
    });
    expect(at(config, 'ipSecurityRestrictions')).toMatchObject([{ ipAddress: 'AzureEventGrid' }, caller]);
  });

  it('is refused by the compiler where no range is named, as an empty list opens the app to everyone', () => {
    expect(sourceOf('main.bank.bicepparam')).toMatch(/^param allowedCallers = empty\(callers\) \? \[fail\('/m);
  });

  it('logs who writes tables, who reads blobs, and what happens at the site', () => {
    expect(new Set(categories(bank, /\/tableServices\//))).toEqual(new Set(['StorageWrite', 'StorageDelete']));
    expect(new Set(categories(bank, /\/queueServices\//))).toEqual(new Set(['StorageWrite']));
    expect(new Set(categories(bank, /\/blobServices\//))).toEqual(
      new Set(['StorageWrite', 'StorageDelete', 'StorageRead']),
    );
    expect(categories(bank, /\/Microsoft\.Web\/sites\//)).toEqual(['allLogs']);
    expect(categories(bank, /\/Microsoft\.KeyVault\//)).toEqual(['audit']);
    expect(at(bank.ofType('Microsoft.OperationalInsights/workspaces')[0]?.body, 'properties', 'retentionInDays')).toBe(
      365,
    );
  });

  it('keeps app, storage, vaults and telemetry on the network, with one way out', () => {
    const [network] = bank.ofType('Microsoft.Network/virtualNetworks');
    expect(at(network?.body, 'properties', 'subnets', 0, 'properties', 'natGateway', 'id')).toMatch(/\/natGateways\//);
    expect(at(network?.body, 'properties', 'subnets', 1, 'properties', 'natGateway') ?? null).toBeNull();
    expect(count(bank, 'Microsoft.Network/publicIPAddresses')).toBe(1);
    const groups = bank
      .ofType('Microsoft.Network/privateEndpoints')
      .map(({ body }) => at(body, 'properties', 'privateLinkServiceConnections', 0, 'properties', 'groupIds', 0));
    // Control zone, work zone and audit trail.
    const storage = ['blob', 'table', 'blob', 'queue', 'table', 'blob'];
    expect(groups.sort()).toEqual(['azuremonitor', 'vault', ...storage].sort());
    const [scope] = bank.ofType('microsoft.insights/privateLinkScopes');
    expect(at(scope?.body, 'properties', 'accessModeSettings')).toEqual({
      ingestionAccessMode: 'PrivateOnly',
      queryAccessMode: 'Open',
    });
    expect(bank.resources.filter(({ type }) => /scopedResources$/i.test(type))).toHaveLength(2);
    for (const type of ['Microsoft.OperationalInsights/workspaces', 'Microsoft.Insights/components']) {
      expect(at(bank.ofType(type)[0]?.body, 'properties', 'publicNetworkAccessForIngestion')).toBe('Disabled');
      expect(at(plain.ofType(type)[0]?.body, 'properties', 'publicNetworkAccessForIngestion')).toBe('Enabled');
    }
  });

  it('goes out through a firewall instead, where one is named', async () => {
    const parameters = { ...BANK, egressFirewallAddress: '10.1.0.4', natGateway: false };
    const { azure } = await dryRun('main', parameters);
    expect(count(azure, 'Microsoft.Network/natGateways')).toBe(0);
    const [routes] = azure.ofType('Microsoft.Network/routeTables');
    expect(at(routes?.body, 'properties', 'routes', 0, 'properties')).toEqual({
      addressPrefix: '0.0.0.0/0',
      nextHopType: 'VirtualAppliance',
      nextHopIpAddress: '10.1.0.4',
    });
    const [network] = azure.ofType('Microsoft.Network/virtualNetworks');
    expect(at(network?.body, 'properties', 'subnets', 0, 'properties', 'routeTable', 'id')).toBe(routes?.id);
  });

  it('assigns no right itself, and leaves the rights on containers and the lock of the group to rights.bicep', async () => {
    expect(BANK).toMatchObject({ assignRights: false, hostStorageByContainer: true, lockGroup: true });
    expect(bank.resources.filter(({ type }) => type.startsWith('Microsoft.Authorization/'))).toEqual([]);
    const { azure } = await dryRun('main', { ...BANK, assignRights: true });
    const locks = azure.ofType('Microsoft.Authorization/locks');
    expect(locks.map(({ id, body }) => [id.split('/providers/')[0], at(body, 'properties', 'level')])).toEqual([
      [expect.stringMatching(/\/resourceGroups\/rg-cmk-example$/), 'CanNotDelete'],
    ]);
  });

  it('has no package fetched from an address: the deployment compares the hash of what it uploads', () => {
    expect(BANK.packageUri ?? '').toBe('');
    expect(count(bank, 'Microsoft.Web/sites/extensions')).toBe(0);
  });

  it('leaves all of that out where nobody asks for it, but for the log of tables and the alert on the package', () => {
    expect(at(site(plain), 'siteConfig')).toMatchObject({
      scmIpSecurityRestrictionsDefaultAction: 'Allow',
      scmIpSecurityRestrictions: [],
    });
    expect(new Set(categories(plain, /\/tableServices\//))).toEqual(new Set(['StorageWrite', 'StorageDelete']));
    expect(new Set(categories(plain, /\/blobServices\//))).toEqual(new Set(['StorageWrite', 'StorageDelete']));
    expect(categories(plain, /\/Microsoft\.Web\/sites\//)).toEqual([]);
    const types = /natGateways|routeTables|publicIPAddresses|privateLinkScopes|Authorization\/locks/i;
    expect(plain.resources.filter(({ type }) => types.test(type))).toEqual([]);
  });
});

it('an alert tells of each write to the package, and whether the app wrote it', () => {
  const rule = plain.ofType('Microsoft.Insights/scheduledQueryRules').find(({ id }) => id.endsWith('-package-written'));
  const criterion = at(rule?.body, 'properties', 'criteria', 'allOf', 0);
  const query = asString(at(criterion, 'query') ?? null, 'query');
  expect(query).toContain('ObjectKey contains "/app-package"');
  const [identity] = plain.ofType('Microsoft.ManagedIdentity/userAssignedIdentities');
  expect(identity).toBeDefined();
  expect(query).toMatch(/RequesterObjectId == "[0-9a-f-]{36}"/);
  expect(at(criterion, 'dimensions', 0, 'name')).toBe('writer');
  expect(isObject(rule?.body.properties) && rule.body.properties.severity).toBe(1);
});
