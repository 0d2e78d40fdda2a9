import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { appSettings } from '../../local/run/app-environment.ts';
import { EVENT_FUNCTIONS } from '../../src/events/subscription.ts';
import { readSettings } from '../../src/settings/settings.ts';
import { SETTINGS } from '../../src/settings/settings-table.ts';
import type { DryAzure } from './arm/dry-azure.ts';
import { asArray, asObject, at, type JsonObject } from './arm/json.ts';
import { dryRun, MAIN_PARAMETERS, OTHER_VAULT, TENANT, template, VAULT } from './arm/templates.ts';

/** Settings of the Functions host and its telemetry; the app does not read them. */
const HOST_SETTINGS = [
  'AzureWebJobsDisableHomepage',
  'AzureWebJobsStorage__credential',
  'AzureWebJobsStorage__clientId',
  'AzureWebJobsStorage__queueServiceUri',
  'AzureWebJobsStorage__tableServiceUri',
  'CMK_WORK__credential',
  'CMK_WORK__clientId',
  'APPLICATIONINSIGHTS_CONNECTION_STRING',
  'APPLICATIONINSIGHTS_AUTHENTICATION_STRING',
  'FUNCTIONS_REQUEST_BODY_SIZE_LIMIT',
  'OTEL_TRACES_SAMPLER',
  'OTEL_TRACES_SAMPLER_ARG',
];
let azure: DryAzure;
let site: JsonObject;
let settings: JsonObject;
let authentication: JsonObject;

const config = (from: DryAzure, name: string): JsonObject =>
  asObject(from.ofType('Microsoft.Web/sites/config').find(({ id }) => id.endsWith(`/${name}`))?.body.properties, name);

/** The resources of each module of the main template, by symbolic name. */
const modules = (): { name: string; resources: Record<string, JsonObject> }[] =>
  Object.entries(asObject(template('main').resources, 'resources')).flatMap(([name, resource]) => {
    const resources = at(resource, 'properties', 'template', 'resources');
    return resources ? [{ name, resources: resources as Record<string, JsonObject> }] : [];
  });

beforeAll(async () => {
  ({ azure } = await dryRun('main', MAIN_PARAMETERS));
  site = asObject(azure.ofType('Microsoft.Web/sites')[0]?.body, 'site');
  settings = config(azure, 'appsettings');
  authentication = config(azure, 'authsettingsV2');
});

describe('app settings', () => {
  it('are settings that the app knows, or the host', () => {
    const known = [...Object.keys(SETTINGS), ...HOST_SETTINGS];
    expect(Object.keys(settings).filter((name) => !known.includes(name))).toEqual([]);
  });

  it('satisfy the app: every required one is set, every value is right', () => {
    const read = readSettings(settings as Record<string, string>);
    expect(read.storage).toMatchObject({ accountName: settings.AzureWebJobsStorage__accountName });
    expect(read.drift.sharedZones).toBeUndefined();
    expect(settings).toMatchObject({
      CMK_WORK__credential: 'managedidentity',
      CMK_WORK__clientId: settings.AZURE_CLIENT_ID,
    });
    expect(read.subscriptions).toEqual(MAIN_PARAMETERS.storageSubscriptions);
    expect(settings.CMK_FUNCTION_APP_ID).toBe(azure.ofType('Microsoft.Web/sites')[0]?.id);
    expect(settings.CMK_VAULTS).toBe(`${VAULT},${OTHER_VAULT}`);
    expect(Object.keys(read.drift.systemTopics)).toEqual([VAULT, OTHER_VAULT].map((id) => id.toLowerCase()));
    expect(read.drift.problems).toEqual([]);
  });

  it('have the host refuse a body before it holds it in memory, but no batch of events (1 MiB), as on a laptop', () => {
    const limit = Number(settings.FUNCTIONS_REQUEST_BODY_SIZE_LIMIT);
    expect(limit).toBeGreaterThan(1_048_576);
    expect(limit).toBeLessThan(1_500_000);
    const sample = JSON.parse(readFileSync(new URL('../../local.settings.sample.json', import.meta.url), 'utf8'));
    const locally = appSettings('UseDevelopmentStorage=true', {});
    for (const { FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: other } of [sample.Values, locally])
      expect(Number(other)).toBe(limit);
  });

  it('say whose tokens the API takes', () => {
    expect(settings).toMatchObject({ CMK_TENANT_ID: TENANT, CMK_API_AUDIENCE: MAIN_PARAMETERS.apiClientId });
  });

  it('leave the API closed when there is no app registration yet', async () => {
    const { azure: without } = await dryRun('main', { ...MAIN_PARAMETERS, apiClientId: '' });
    expect(Object.keys(config(without, 'appsettings')).filter((name) => /TENANT|AUDIENCE/.test(name))).toEqual([]);
  });

  it('can be set by name, and win over what the template sets', async () => {
    const { azure: tuned } = await dryRun('main', { ...MAIN_PARAMETERS, settings: { CMK_DUAL_CONTROL: 'off' } });
    expect(config(tuned, 'appsettings').CMK_DUAL_CONTROL).toBe('off');
  });

  it('give the addresses of the storage outside AzureCloud, where the host makes a wrong one from the name', async () => {
    const government = {
      name: 'AzureUSGovernment',
      authentication: { loginEndpoint: 'https://login.microsoftonline.us/' },
      suffixes: { storage: 'core.usgovcloudapi.net', keyvaultDns: '.vault.usgovcloudapi.net' },
    };
    const { azure: other } = await dryRun('main', MAIN_PARAMETERS, { cloud: government });
    const there = config(other, 'appsettings');
    expect(there.AZURE_CLOUD).toBe('AzureUSGovernment');
    expect(there.CMK_OTHER_DEPENDENTS).toBe('all');
    expect(
      Object.keys(there)
        .filter((name) => name.startsWith('AzureWebJobsStorage'))
        .sort(),
    ).toEqual([
      'AzureWebJobsStorage__blobServiceUri',
      'AzureWebJobsStorage__clientId',
      'AzureWebJobsStorage__credential',
      'AzureWebJobsStorage__queueServiceUri',
      'AzureWebJobsStorage__tableServiceUri',
    ]);
    expect(Object.keys(settings)).not.toContain('AzureWebJobsStorage__queueServiceUri');
  });

  it('name no setting that Flex Consumption refuses', () => {
    const refused = /^(FUNCTIONS_WORKER_RUNTIME|FUNCTIONS_EXTENSION_VERSION|WEBSITE_|SCM_DO_BUILD|ENABLE_ORYX)/;
    expect(Object.keys(settings).filter((name) => refused.test(name))).toEqual([]);
  });
});

describe('the function app', () => {
  it('runs the Node that everything is tested on, on Flex Consumption, and Node 22 by parameter', async () => {
    const { devDependencies } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    const [production] = devDependencies.node.split('.');
    expect(at(site, 'properties', 'functionAppConfig', 'runtime')).toEqual({ name: 'node', version: production });
    const { azure: older } = await dryRun('main', { ...MAIN_PARAMETERS, nodeVersion: '22' });
    const [olderSite] = older.ofType('Microsoft.Web/sites');
    expect(at(olderSite?.body, 'properties', 'functionAppConfig', 'runtime', 'version')).toBe('22');
    expect(azure.ofType('Microsoft.Web/serverfarms')[0]?.body.sku).toEqual({ name: 'FC1', tier: 'FlexConsumption' });
  });

  it('fetches its package, and reaches its queues, as its own identity', () => {
    const identity = azure.ofType('Microsoft.ManagedIdentity/userAssignedIdentities')[0]?.id;
    expect(at(site, 'properties', 'functionAppConfig', 'deployment', 'storage')).toMatchObject({
      type: 'blobContainer',
      value: expect.stringMatching(/\.blob\.core\.windows\.net\/app-package$/),
      authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identity },
    });
    expect(settings.AzureWebJobsStorage__credential).toBe('managedidentity');
    expect(settings.AzureWebJobsStorage__clientId).toBe(settings.AZURE_CLIENT_ID);
  });

  it('keeps one instance warm for break-glass unless told otherwise', async () => {
    const warm = (from: JsonObject) =>
      at(from, 'properties', 'functionAppConfig', 'scaleAndConcurrency', 'alwaysReady');
    expect(warm(site)).toEqual([{ name: 'http', instanceCount: 1 }]);
    const { azure: cold } = await dryRun('main', { ...MAIN_PARAMETERS, alwaysReadyHttp: 0 });
    expect(warm(asObject(cold.ofType('Microsoft.Web/sites')[0]?.body, 'site'))).toEqual([]);
  });

  it('keeps instances warm for new key versions on request, in the scale group of the function of that event', async () => {
    const { azure: warm } = await dryRun('main', { ...MAIN_PARAMETERS, alwaysReadyEvents: 2 });
    const body = asObject(warm.ofType('Microsoft.Web/sites')[0]?.body, 'site');
    expect(at(body, 'properties', 'functionAppConfig', 'scaleAndConcurrency', 'alwaysReady')).toEqual([
      { name: 'http', instanceCount: 1 },
      { name: `function:${EVENT_FUNCTIONS[0].functionName}`, instanceCount: 2 },
    ]);
  });

  it('sets no sampling that is not read: under OpenTelemetry the host goes by OTEL_TRACES_SAMPLER alone', () => {
    const host = JSON.parse(readFileSync(new URL('../../host.json', import.meta.url), 'utf8'));
    expect(host.telemetryMode).toBe('OpenTelemetry');
    expect(host.logging?.applicationInsights).toBeUndefined();
    expect(config(azure, 'appsettings')).toMatchObject({
      OTEL_TRACES_SAMPLER: 'microsoft.fixed_percentage',
      OTEL_TRACES_SAMPLER_ARG: '1',
    });
  });

  it('says nothing that Flex Consumption refuses of a site, whose runtime and scaling are elsewhere', () => {
    // As Azure names them in error 51021: microsoft/azure-pipelines-tasks#21032, Azure/terraform-azurerm-avm-res-web-site#345.
    const refused = [
      ...['alwaysOn', 'ftpsState', 'functionAppScaleLimit', 'functionsRuntimeScaleMonitoringEnabled', 'linuxFxVersion'],
      ...['netFrameworkVersion', 'preWarmedInstanceCount', 'use32BitWorkerProcess', 'windowsFxVersion'],
    ];
    const said = Object.keys(asObject(at(site, 'properties', 'siteConfig'), 'siteConfig'));
    expect(said.filter((name) => refused.includes(name))).toEqual([]);
  });

  it('is configured by one write after the other: Azure answers 409 to two at a time', () => {
    const app = modules().find(({ resources }) => 'appSettings' in resources)?.resources ?? {};
    const configs = Object.entries(app).filter(([, { type }]) =>
      /^Microsoft\.Web\/sites\/(config|basic)/.test(String(type)),
    );
    expect(configs).toHaveLength(4);
    const after = (name: string): string[] => asArray(app[name]?.dependsOn ?? [], 'dependsOn').map(String);
    const chain = configs.map(([name]) => after(name).filter((other) => configs.some(([config]) => config === other)));
    expect(chain.map(({ length }) => length).sort()).toEqual([0, 1, 1, 1]);
    expect(new Set(chain.flat()).size).toBe(3);
  });

  it('takes HTTPS only, and no basic authentication for deployments', () => {
    expect(at(site, 'properties', 'httpsOnly')).toBe(true);
    const policies = azure.ofType('Microsoft.Web/sites/basicPublishingCredentialsPolicies');
    expect(policies.map(({ body }) => at(body, 'properties', 'allow'))).toEqual([false, false]);
  });

  it('is open to Event Grid when callers are confined to address ranges', async () => {
    const { azure: confined } = await dryRun('main', { ...MAIN_PARAMETERS, allowedCallers: ['203.0.113.0/24'] });
    const properties = confined.ofType('Microsoft.Web/sites')[0]?.body.properties;
    expect(at(properties, 'siteConfig', 'ipSecurityRestrictionsDefaultAction')).toBe('Deny');
    expect(at(properties, 'siteConfig', 'ipSecurityRestrictions')).toMatchObject([
      { action: 'Allow', tag: 'ServiceTag', ipAddress: 'AzureEventGrid' },
      { action: 'Allow', ipAddress: '203.0.113.0/24' },
    ]);
  });

  it('leaves the check of tokens to the app, whose answers say what is wrong, unless asked', () => {
    expect(authentication).toEqual({
      platform: { enabled: false, runtimeVersion: '~1' },
      globalValidation: { requireAuthentication: false, unauthenticatedClientAction: 'AllowAnonymous' },
    });
  });

  it('has Azure ask for a token too if asked, but not Event Grid, whose deliveries carry a key of the host, nor readers of the API description', async () => {
    const { azure: gated } = await dryRun('main', {
      ...MAIN_PARAMETERS,
      platformAuthentication: true,
      apiClients: ['99999999-0000-4000-8000-000000000001'],
    });
    const gate = config(gated, 'authsettingsV2');
    expect(at(gate, 'platform', 'enabled')).toBe(true);
    expect(at(gate, 'globalValidation')).toEqual({
      requireAuthentication: true,
      unauthenticatedClientAction: 'Return401',
      excludedPaths: ['/runtime/webhooks/eventgrid', '/runtime/webhooks/*', '/api/openapi.json'],
    });
    // Without a list of clients, Azure has been seen to turn away every good token; with one, it takes only those.
    expect(at(gate, 'identityProviders', 'azureActiveDirectory', 'validation')).toEqual({
      allowedAudiences: [MAIN_PARAMETERS.apiClientId, `api://${MAIN_PARAMETERS.apiClientId}`],
      defaultAuthorizationPolicy: {
        allowedPrincipals: {},
        allowedApplications: [
          MAIN_PARAMETERS.apiClientId,
          '04b07795-8ddb-461a-bbee-02f9e1bf7b46',
          '99999999-0000-4000-8000-000000000001',
        ],
      },
    });
  });

  it('has Azure ask for no token as long as there is no app registration', async () => {
    const { azure: gated } = await dryRun('main', {
      ...MAIN_PARAMETERS,
      apiClientId: '',
      platformAuthentication: true,
    });
    expect(at(config(gated, 'authsettingsV2'), 'platform', 'enabled')).toBe(false);
  });
});

describe('private network', () => {
  const network = '/subscriptions/s/resourceGroups/rg-net/providers/Microsoft.Network/virtualNetworks/vnet-hub';

  it('takes subnets that are there, and leaves DNS zones to whoever keeps them', async () => {
    const { azure: given } = await dryRun('main', {
      ...MAIN_PARAMETERS,
      privateNetwork: true,
      appSubnetId: `${network}/subnets/snet-flex`,
      endpointSubnetId: `${network}/subnets/snet-endpoints`,
    });
    expect(given.ofType('Microsoft.Network/virtualNetworks')).toEqual([]);
    expect(at(given.ofType('Microsoft.Web/sites')[0]?.body, 'properties', 'virtualNetworkSubnetId')).toBe(
      `${network}/subnets/snet-flex`,
    );
    const endpoints = given.ofType('Microsoft.Network/privateEndpoints');
    expect(endpoints.map(({ body }) => at(body, 'properties', 'subnet', 'id'))).toEqual(
      Array(5).fill(`${network}/subnets/snet-endpoints`),
    );
    const links = given.ofType('Microsoft.Network/privateDnsZones/virtualNetworkLinks');
    expect(new Set(links.map(({ body }) => at(body, 'properties', 'virtualNetwork', 'id')))).toEqual(
      new Set([network]),
    );
    const { azure: central } = await dryRun('main', {
      ...MAIN_PARAMETERS,
      privateNetwork: true,
      privateDnsZones: false,
      networkSecurityGroupId: '/nsg',
    });
    expect(central.resources.filter(({ type }) => /DnsZone/i.test(type))).toEqual([]);
    const [made] = central.ofType('Microsoft.Network/virtualNetworks');
    for (const index of [0, 1]) {
      expect(at(made?.body, 'properties', 'subnets', index, 'properties', 'networkSecurityGroup', 'id')).toBe('/nsg');
    }
  });

  it('puts the app on a subnet, its storage behind private endpoints, and the vaults too if asked', async () => {
    const { azure: open } = await dryRun('main', MAIN_PARAMETERS);
    expect(open.ofType('Microsoft.Network/privateEndpoints')).toEqual([]);
    const { azure: closed } = await dryRun('main', {
      ...MAIN_PARAMETERS,
      privateNetwork: true,
      vaultPrivateEndpoints: true,
    });
    expect(at(closed.ofType('Microsoft.Web/sites')[0]?.body, 'properties', 'virtualNetworkSubnetId')).toMatch(
      /\/subnets\/app$/,
    );
    const groups = closed
      .ofType('Microsoft.Network/privateEndpoints')
      .map(({ body }) => at(body, 'properties', 'privateLinkServiceConnections', 0, 'properties', 'groupIds', 0));
    expect(groups).toEqual(['blob', 'table', 'blob', 'queue', 'table', 'vault', 'vault']);
    const account = closed.ofType('Microsoft.Storage/storageAccounts')[0]?.body;
    // Still open to Event Grid, which writes dead letters as a trusted service.
    expect(at(account, 'properties', 'networkAcls')).toEqual({ bypass: 'AzureServices', defaultAction: 'Deny' });
  });
});
