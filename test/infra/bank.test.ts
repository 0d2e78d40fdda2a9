import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { DryAzure } from './arm/dry-azure.ts';
import { asArray, at, type Json } from './arm/json.ts';
import { dryRun, mainWith, profileParameters } from './arm/templates.ts';

const BANK = profileParameters('bank');

let bank: DryAzure;
let plain: DryAzure;
beforeAll(async () => {
  bank = (await dryRun('main', BANK)).azure;
  plain = await mainWith({});
});

const SITE = 'Microsoft.Web/sites';
const NETWORK = 'Microsoft.Network/virtualNetworks';
/** Categories of the logs that are on, of each once. */
const categories = (azure: DryAzure, on: RegExp): Json[] => {
  const settings = azure.ofType('Microsoft.Insights/diagnosticSettings').filter(({ id }) => on.test(id));
  const logs = settings.flatMap(({ body }) => asArray(at(body, 'properties', 'logs') ?? [], 'logs'));
  return [...new Set(logs.flatMap((log) => at(log, 'category') ?? at(log, 'categoryGroup') ?? []))];
};

const sourceOf = (file: string): string => readFileSync(new URL(`../../infra/${file}`, import.meta.url), 'utf8');
const parametersOf = (file: string): string[] =>
  [...sourceOf(file).matchAll(/^param (\w+)/gm)].map(([, name]) => name ?? '');

describe('the bank profile', () => {
  it('The bank profile reads from the environment what it does not set, as the other parameter file does', () => {
    expect(parametersOf('main.bank.bicepparam')).toEqual(expect.arrayContaining(parametersOf('main.bicepparam')));
  });

  it('The bank profile closes the app and its deployment service to all but the named ranges', () => {
    const caller = { action: 'Allow', ipAddress: '203.0.113.0/24' };
    expect(bank.values(SITE, 'siteConfig')).toMatchObject([
      {
        ipSecurityRestrictionsDefaultAction: 'Deny',
        ipSecurityRestrictions: [{ ipAddress: 'AzureEventGrid' }, caller],
        scmIpSecurityRestrictionsDefaultAction: 'Deny',
        scmIpSecurityRestrictionsUseMain: false,
        scmIpSecurityRestrictions: [caller],
      },
    ]);
  });

  it('The bank profile is rejected by the compiler without a range, as an empty list would open the app to the internet', () => {
    expect(sourceOf('main.bank.bicepparam')).toMatch(/^param allowedCallers = empty\(callers\) \? \[fail\('/m);
  });

  it('The bank profile logs writes of tables, reads of blobs, and requests at the site', () => {
    expect(categories(bank, /\/tableServices\//)).toEqual(['StorageWrite', 'StorageDelete']);
    expect(categories(bank, /\/queueServices\//)).toEqual(['StorageWrite']);
    expect(categories(bank, /\/blobServices\//).sort()).toEqual(['StorageDelete', 'StorageRead', 'StorageWrite']);
    expect(categories(bank, /\/Microsoft\.Web\/sites\//)).toEqual(['allLogs']);
    expect(categories(bank, /\/Microsoft\.KeyVault\//)).toEqual(['audit']);
    expect(bank.values('Microsoft.OperationalInsights/workspaces', 'retentionInDays')).toEqual([365]);
  });

  it('The bank profile keeps app, storage, vaults and telemetry on the network, with one way out', () => {
    const [app, endpoints] = asArray(bank.values(NETWORK, 'subnets')[0], 'subnets');
    expect(at(app, 'properties', 'natGateway', 'id')).toMatch(/\/natGateways\//);
    expect(at(endpoints, 'properties', 'natGateway') ?? null).toBeNull();
    expect(bank.ofType('Microsoft.Network/publicIPAddresses')).toHaveLength(1);

    const connection = ['privateLinkServiceConnections', 0, 'properties', 'groupIds', 0] as const;

    // Control zone, work zone and audit trail.
    const storage = ['blob', 'table', 'blob', 'queue', 'table', 'blob'];
    const groups = bank.values('Microsoft.Network/privateEndpoints', ...connection);

    expect(groups.sort()).toEqual(['azuremonitor', 'vault', ...storage].sort());

    const access = { ingestionAccessMode: 'PrivateOnly', queryAccessMode: 'Open' };
    expect(bank.values('microsoft.insights/privateLinkScopes', 'accessModeSettings')).toEqual([access]);
    expect(bank.resources.filter(({ type }) => /scopedResources$/i.test(type))).toHaveLength(2);

    for (const type of ['Microsoft.OperationalInsights/workspaces', 'Microsoft.Insights/components']) {
      expect(bank.values(type, 'publicNetworkAccessForIngestion')).toEqual(['Disabled']);
      expect(plain.values(type, 'publicNetworkAccessForIngestion')).toEqual(['Enabled']);
    }
  });

  it('The bank profile uses a firewall as the way out, if one is named', async () => {
    const { azure } = await dryRun('main', { ...BANK, egressFirewallAddress: '10.1.0.4', natGateway: false });
    expect(azure.ofType('Microsoft.Network/natGateways')).toEqual([]);
    const [routes] = azure.ofType('Microsoft.Network/routeTables');
    expect(at(routes?.body, 'properties', 'routes', 0, 'properties')).toEqual({
      addressPrefix: '0.0.0.0/0',
      nextHopType: 'VirtualAppliance',
      nextHopIpAddress: '10.1.0.4',
    });
    expect(azure.values(NETWORK, 'subnets', 0, 'properties', 'routeTable', 'id')).toEqual([routes?.id]);
  });

  it('The bank profile assigns no right itself, and leaves the rights on containers and the lock of the group to rights.bicep', async () => {
    expect(BANK).toMatchObject({ assignRights: false, hostStorageByContainer: true, lockGroup: true });
    expect(bank.resources.filter(({ type }) => type.startsWith('Microsoft.Authorization/'))).toEqual([]);
    const { azure } = await dryRun('main', { ...BANK, assignRights: true });
    const locks = azure.ofType('Microsoft.Authorization/locks');
    expect(locks.map(({ id, body }) => [id.split('/providers/')[0], at(body, 'properties', 'level')])).toEqual([
      [expect.stringMatching(/\/resourceGroups\/rg-cmk-example$/), 'CanNotDelete'],
    ]);
  });

  it('The bank profile fetches no package from an address: the deployment compares the hash of what it uploads', () => {
    expect(BANK.packageUri ?? '').toBe('');
    expect(bank.ofType('Microsoft.Web/sites/extensions')).toEqual([]);
  });

  it('The bank profile is off by default, but for the log of tables and the alert on the package', () => {
    const open = { scmIpSecurityRestrictionsDefaultAction: 'Allow', scmIpSecurityRestrictions: [] };
    expect(plain.values(SITE, 'siteConfig')).toMatchObject([open]);
    for (const on of [/\/tableServices\//, /\/blobServices\//]) {
      expect(categories(plain, on)).toEqual(['StorageWrite', 'StorageDelete']);
    }
    expect(categories(plain, /\/Microsoft\.Web\/sites\//)).toEqual([]);
    const types = /natGateways|routeTables|publicIPAddresses|privateLinkScopes|Authorization\/locks/i;
    expect(plain.resources.filter(({ type }) => types.test(type))).toEqual([]);
  });
});

it('an alert reports each write to the package, and whether the app wrote it', () => {
  const rules = plain.ofType('Microsoft.Insights/scheduledQueryRules');
  const { properties } = rules.find(({ id }) => id.endsWith('-package-written'))?.body ?? {};
  const query = expect.stringMatching(/ObjectKey contains "\/app-package"[\s\S]*RequesterObjectId == "[0-9a-f-]{36}"/);
  const criterion = { query, dimensions: [{ name: 'writer' }] };
  expect(properties).toMatchObject({ severity: 1, criteria: { allOf: [criterion] } });
});
