import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { appSettings } from '../../local/run/app-environment.ts';
import { EVENT_FUNCTIONS } from '../../src/events/subscription.ts';
import { readSettings } from '../../src/settings/settings.ts';
import { SETTINGS } from '../../src/settings/settings-table.ts';
import type { DryAzure } from './arm/dry-azure.ts';
import { asArray, asObject, at, type JsonObject } from './arm/json.ts';
import { dryRun, MAIN_PARAMETERS, mainWith, OTHER_VAULT, TENANT, template, VAULT } from './arm/templates.ts';

/** Settings of the Functions host and its telemetry; the app does not read them. */
const HOST_SETTINGS = [
  'AzureWebJobsDisableHomepage',
  ...['credential', 'clientId', 'queueServiceUri', 'tableServiceUri'].map((name) => `AzureWebJobsStorage__${name}`),
  ...['CMK_WORK__credential', 'CMK_WORK__clientId'],
  ...['APPLICATIONINSIGHTS_CONNECTION_STRING', 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING'],
  ...['FUNCTIONS_REQUEST_BODY_SIZE_LIMIT', 'OTEL_TRACES_SAMPLER', 'OTEL_TRACES_SAMPLER_ARG'],
  'OTEL_METRIC_EXPORT_INTERVAL',
];
const SITE = 'Microsoft.Web/sites';
const read = (path: string) => JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8'));

let azure: DryAzure;
let settings: Record<string, string>;
beforeAll(async () => {
  azure = await mainWith({});
  settings = azure.settings();
});

describe('the app settings', () => {
  it('The app settings are known to the app or the host, and none is one that Flex Consumption rejects', () => {
    const known = [...Object.keys(SETTINGS), ...HOST_SETTINGS];
    expect(Object.keys(settings).filter((name) => !known.includes(name))).toEqual([]);
    const refused = /^(FUNCTIONS_WORKER_RUNTIME|FUNCTIONS_EXTENSION_VERSION|WEBSITE_|SCM_DO_BUILD|ENABLE_ORYX)/;
    expect(Object.keys(settings).filter((name) => refused.test(name))).toEqual([]);
  });

  it('The app settings satisfy the app: every required one is set, every value is valid', () => {
    const { storage, drift, subscriptions } = readSettings(settings);
    expect(storage).toMatchObject({ accountName: settings.AzureWebJobsStorage__accountName });

    const { accountName } = { accountName: '', ...storage?.work };
    expect(['', settings.AzureWebJobsStorage__accountName]).not.toContain(accountName);
    expect(drift.problems).toEqual([]);
    expect(Object.keys(drift.systemTopics)).toEqual([VAULT, OTHER_VAULT].map((id) => id.toLowerCase()));
    expect(subscriptions).toEqual(MAIN_PARAMETERS.storageSubscriptions);

    expect(settings).toMatchObject({
      CMK_WORK__credential: 'managedidentity',
      CMK_WORK__clientId: settings.AZURE_CLIENT_ID,
      CMK_FUNCTION_APP_ID: azure.ofType(SITE)[0]?.id,
      CMK_VAULTS: `${VAULT},${OTHER_VAULT}`,
    });
  });

  it('The app settings make the host reject a large body before it buffers it, but no batch of events (1 MiB), as on a laptop', () => {
    const limit = Number(settings.FUNCTIONS_REQUEST_BODY_SIZE_LIMIT);
    expect(limit).toBeGreaterThan(1_048_576);
    expect(limit).toBeLessThan(1_500_000);
    const locally = appSettings('UseDevelopmentStorage=true', {});
    for (const { FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: other } of [read('local.settings.sample.json').Values, locally]) {
      expect(Number(other)).toBe(limit);
    }
  });

  it('The app settings state whose tokens the API accepts, and keep it closed while there is no app registration', async () => {
    expect(settings).toMatchObject({ CMK_TENANT_ID: TENANT, CMK_API_AUDIENCE: MAIN_PARAMETERS.apiClientId });
    const without = await mainWith({ apiClientId: '', platformAuthentication: true });
    expect(Object.keys(without.settings()).filter((name) => /TENANT|AUDIENCE/.test(name))).toEqual([]);
    // Nor has Azure ask for a token then.
    expect(without.settings('authsettingsV2')).toMatchObject({ platform: { enabled: false } });
  });

  it('The app settings have the addresses of the storage outside AzureCloud, where the host derives wrong ones from the name', async () => {
    const cloud = {
      name: 'AzureUSGovernment',
      authentication: { loginEndpoint: 'https://login.microsoftonline.us/' },
      suffixes: { storage: 'core.usgovcloudapi.net', keyvaultDns: '.vault.usgovcloudapi.net' },
    };

    const there = (await dryRun('main', MAIN_PARAMETERS, { cloud })).azure.settings();
    expect(there).toMatchObject({ AZURE_CLOUD: 'AzureUSGovernment', CMK_OTHER_DEPENDENTS: 'all' });

    const storage = (of: object) => Object.keys(of).filter((name) => name.startsWith('AzureWebJobsStorage__'));
    const uris = ['blob', 'queue', 'table'].map((service) => `AzureWebJobsStorage__${service}ServiceUri`);

    expect(storage(there)).toEqual(expect.arrayContaining(uris));
    expect(storage(there)).not.toContain('AzureWebJobsStorage__accountName');
    expect(storage(settings)).toContain('AzureWebJobsStorage__accountName');
    expect(storage(settings)).not.toContain('AzureWebJobsStorage__queueServiceUri');
  });
});

describe('the function app', () => {
  const [production] = read('package.json').devDependencies.node.split('.');
  const HTTP = { name: 'http', instanceCount: 1 };
  const EVENTS = { name: `function:${EVENT_FUNCTIONS[0].functionName}`, instanceCount: 2 };
  const alwaysReady = (value: object[]) => ({ functionAppConfig: { scaleAndConcurrency: { alwaysReady: value } } });

  it.each<[string, JsonObject, object]>([
    ['runs the Node of the tests', {}, { functionAppConfig: { runtime: { name: 'node', version: production } } }],
    ['runs Node 22 by parameter', { nodeVersion: '22' }, { functionAppConfig: { runtime: { version: '22' } } }],
    ['keeps one instance warm for break-glass', {}, alwaysReady([HTTP])],
    ['keeps none warm on request', { alwaysReadyHttp: 0 }, alwaysReady([])],
    ['keeps instances warm for new key versions on request', { alwaysReadyEvents: 2 }, alwaysReady([HTTP, EVENTS])],
    ['accepts HTTPS only', {}, { httpsOnly: true }],
    [
      'is open to Event Grid when callers are confined to address ranges',
      { allowedCallers: ['203.0.113.0/24'] },
      {
        siteConfig: {
          ipSecurityRestrictionsDefaultAction: 'Deny',
          ipSecurityRestrictions: [
            { action: 'Allow', tag: 'ServiceTag', ipAddress: 'AzureEventGrid' },
            { action: 'Allow', ipAddress: '203.0.113.0/24' },
          ],
        },
      },
    ],
  ])('The function app %s', async (_, parameters, properties) => {
    expect((await mainWith(parameters)).values(SITE)).toMatchObject([properties]);
  });

  it('The function app is on Flex Consumption, fetches its package with its own identity, and accepts no password for deployments', () => {
    expect(azure.ofType('Microsoft.Web/serverfarms')[0]?.body.sku).toEqual({ name: 'FC1', tier: 'FlexConsumption' });
    expect(azure.values('Microsoft.Web/sites/basicPublishingCredentialsPolicies', 'allow')).toEqual([false, false]);

    const identity = azure.ofType('Microsoft.ManagedIdentity/userAssignedIdentities')[0]?.id;
    expect(azure.values(SITE, 'functionAppConfig', 'deployment', 'storage')).toMatchObject([
      {
        type: 'blobContainer',
        value: expect.stringMatching(/\.blob\.core\.windows\.net\/app-package$/),
        authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identity },
      },
    ]);
  });

  it('The function app sets no sampling that has no effect: under OpenTelemetry the host reads OTEL_TRACES_SAMPLER alone', () => {
    const host = read('host.json');
    expect([host.telemetryMode, host.logging?.applicationInsights]).toEqual(['OpenTelemetry', undefined]);
    const sampler = { OTEL_TRACES_SAMPLER: 'microsoft.fixed_percentage', OTEL_TRACES_SAMPLER_ARG: '1' };
    expect(settings).toMatchObject(sampler);
  });

  it('The function app logs what alerts read, and only warnings of the rest of the host, as each line is billed', () => {
    const levels: Record<string, string> = read('host.json').logging.logLevel;
    const levelOf = (category: string) => {
      const names = Object.keys(levels).filter((name) => category === name || category.startsWith(`${name}.`));
      return levels[names.sort((a, b) => b.length - a.length)[0] ?? 'default'];
    };

    const readByAlerts = [
      'Function.reconcileKey',
      'Function.reconcileKey.User',
      // The category that the worker gives to the same record.
      'reconcileKey.Invocation',
      'Host.Triggers.Queue',
      'Host.Function.Console',
    ];
    expect(readByAlerts.map(levelOf)).toEqual(readByAlerts.map(() => 'Information'));

    const starts = ['Host.Startup', 'Microsoft.Azure.WebJobs.Hosting.OptionsLoggingService', 'Azure.Core'];
    expect(starts.map(levelOf)).toEqual(starts.map(() => 'Warning'));

    expect(settings.OTEL_METRIC_EXPORT_INTERVAL).toBe('300000');
  });

  it('The function app sets no property of a site that Flex Consumption rejects', () => {
    // As Azure names them in error 51021: microsoft/azure-pipelines-tasks#21032, Azure/terraform-azurerm-avm-res-web-site#345.
    const refused = [
      ...['alwaysOn', 'ftpsState', 'functionAppScaleLimit', 'functionsRuntimeScaleMonitoringEnabled', 'linuxFxVersion'],
      ...['netFrameworkVersion', 'preWarmedInstanceCount', 'use32BitWorkerProcess', 'windowsFxVersion'],
    ];
    const said = Object.keys(asObject(azure.values(SITE, 'siteConfig')[0], 'siteConfig'));
    expect(said.filter((name) => refused.includes(name))).toEqual([]);
  });

  it('The function app is configured by one write after the other: Azure answers 409 to simultaneous ones', () => {
    const modules = Object.values(asObject(template('main').resources, 'resources'));
    const resources = modules.map((one) => at(one, 'properties', 'template', 'resources') as JsonObject | undefined);
    const app = resources.find((one) => one && 'appSettings' in one) ?? {};
    const isConfig = (name: string) => /^Microsoft\.Web\/sites\/(config|basic)/.test(String(at(app[name], 'type')));
    const configs = Object.keys(app).filter(isConfig);
    const after = configs.map((name) =>
      asArray(at(app[name], 'dependsOn') ?? [], name)
        .map(String)
        .filter(isConfig),
    );

    expect(after.map(({ length }) => length).sort()).toEqual([0, 1, 1, 1]);
    expect(new Set(after.flat()).size).toBe(3);
  });

  it('The function app leaves the validation of tokens to the app, whose answers name the error, by default', () => {
    expect(azure.settings('authsettingsV2')).toEqual({
      platform: { enabled: false, runtimeVersion: '~1' },
      globalValidation: { requireAuthentication: false, unauthenticatedClientAction: 'AllowAnonymous' },
    });
  });

  it('The function app has Azure require a token on request, but not of Event Grid and readers of the API description', async () => {
    const ours = String(MAIN_PARAMETERS.apiClientId);
    const theirs = '99999999-0000-4000-8000-000000000001';
    const gated = await mainWith({ platformAuthentication: true, apiClients: [theirs] });

    expect(gated.settings('authsettingsV2')).toMatchObject({
      platform: { enabled: true },
      globalValidation: {
        requireAuthentication: true,
        unauthenticatedClientAction: 'Return401',
        excludedPaths: ['/runtime/webhooks/eventgrid', '/runtime/webhooks/*', '/api/openapi.json'],
      },
      // Without a list of clients, Azure has been seen to turn away every good token; with one, it takes only those.
      identityProviders: {
        azureActiveDirectory: {
          validation: {
            allowedAudiences: [ours, `api://${ours}`],
            defaultAuthorizationPolicy: {
              allowedPrincipals: {},
              allowedApplications: [ours, '04b07795-8ddb-461a-bbee-02f9e1bf7b46', theirs],
            },
          },
        },
      },
    });
  });
});

describe('the private network', () => {
  it('The template rejects private telemetry in a cloud whose names for it are not known', async () => {
    const cloud = {
      name: 'AzureChinaCloud',
      authentication: { loginEndpoint: 'https://login.chinacloudapi.cn/' },
      suffixes: { storage: 'core.chinacloudapi.cn', keyvaultDns: '.vault.azure.cn' },
    };
    const parameters = { ...MAIN_PARAMETERS, privateNetwork: true };
    await expect(dryRun('main', { ...parameters, privateMonitoring: true }, { cloud })).rejects.toThrow(
      /CMK_PRIVATE_MONITORING.*AzureChinaCloud/,
    );
    await expect(dryRun('main', parameters, { cloud })).resolves.toBeDefined();
  });

  const NETWORK = '/subscriptions/s/resourceGroups/rg-net/providers/Microsoft.Network/virtualNetworks/vnet-hub';
  const ENDPOINTS = 'Microsoft.Network/privateEndpoints';

  it('The private network uses existing subnets', async () => {
    const appSubnetId = `${NETWORK}/subnets/snet-flex`;
    const endpointSubnetId = `${NETWORK}/subnets/snet-endpoints`;
    const given = await mainWith({ privateNetwork: true, appSubnetId, endpointSubnetId });
    expect(given.ofType('Microsoft.Network/virtualNetworks')).toEqual([]);
    expect(given.values(SITE, 'virtualNetworkSubnetId')).toEqual([appSubnetId]);
    expect(given.values(ENDPOINTS, 'subnet', 'id')).toEqual(Array(5).fill(endpointSubnetId));
    const linked = given.values('Microsoft.Network/privateDnsZones/virtualNetworkLinks', 'virtualNetwork', 'id');
    expect(new Set(linked)).toEqual(new Set([NETWORK]));
  });

  it("The private network leaves DNS zones to their owner on request, and uses the owner's security group", async () => {
    const given = { privateDnsZones: false, networkSecurityGroupId: '/nsg' };
    const central = await mainWith({ privateNetwork: true, ...given });
    expect(central.resources.filter(({ type }) => /DnsZone/i.test(type))).toEqual([]);
    const subnet = { properties: { networkSecurityGroup: { id: '/nsg' } } };
    expect(central.values('Microsoft.Network/virtualNetworks', 'subnets')).toMatchObject([[subnet, subnet]]);
  });

  it('The private network puts the app on a subnet, its storage behind private endpoints, and the vaults too if asked', async () => {
    expect(azure.ofType(ENDPOINTS)).toEqual([]);
    const closed = await mainWith({ privateNetwork: true, vaultPrivateEndpoints: true });
    expect(closed.values(SITE, 'virtualNetworkSubnetId')).toEqual([expect.stringMatching(/\/subnets\/app$/)]);
    const groups = closed.values(ENDPOINTS, 'privateLinkServiceConnections', 0, 'properties', 'groupIds', 0);
    expect(groups).toEqual(['blob', 'table', 'blob', 'queue', 'table', 'vault', 'vault']);
    // Still open to Event Grid, which writes dead letters as a trusted service.
    const [networkAcls] = closed.values('Microsoft.Storage/storageAccounts', 'networkAcls');
    expect(networkAcls).toEqual({ bypass: 'AzureServices', defaultAction: 'Deny' });
  });
});
