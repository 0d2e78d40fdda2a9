import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SettingsError } from '../../src/errors/errors.ts';
import { DEFAULT_AUTOFIX } from '../../src/settings/exemption.ts';
import { readSettings } from '../../src/settings/settings.ts';
import { SETTINGS } from '../../src/settings/settings-table.ts';

const VALID = {
  CMK_VAULTS: SETTINGS.CMK_VAULTS.example,
  AzureWebJobsStorage__accountName: 'stcmkautopilot',
};

function problemsOf(environment: Record<string, string>): readonly string[] {
  try {
    readSettings(environment);
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
  return [];
}

describe('readSettings', () => {
  it('The app requires only the vaults and the storage', () => {
    const settings = readSettings(VALID);
    expect(settings.vaults.all).toMatchObject([{ name: 'kv-files', uri: 'https://kv-files.vault.azure.net' }]);
    expect(settings).toMatchObject({
      subscriptions: undefined,
      // An app that was deployed earlier or by hand: its rights are unknown.
      otherDependents: 'listed',
      storage: { accountName: 'stcmkautopilot', blobUri: 'https://stcmkautopilot.blob.core.windows.net' },
    });
  });

  it.each([
    [{}, { on: true, signIn: undefined }],
    [{ CMK_PAGE_SIGN_IN: 'off' }, { on: false, signIn: undefined }],
    [{ CMK_PAGE_SIGN_IN: 'https://login.example/' }, { on: true, signIn: 'https://login.example' }],
    [{ CMK_PAGE_SIGN_IN: 'http://127.0.0.1:4711' }, { on: true, signIn: 'http://127.0.0.1:4711' }],
    // What is wrong with the page takes the page away, and nothing else.
    [{ CMK_PAGE_SIGN_IN: 'http://login.example' }, { on: false, signIn: undefined }],
    [{ CMK_PAGE_SIGN_IN: "https://x.example; script-src 'unsafe-inline'" }, { on: false, signIn: undefined }],
  ])('The settings %j make the page %j', (environment, page) => {
    expect(readSettings({ ...VALID, ...environment }).page).toEqual(page);
  });

  it('CMK_VAULTS accepts vaults and Managed HSMs, separated by commas, spaces or lines, each once', () => {
    const other = VALID.CMK_VAULTS.replace('kv-files', 'kv-records');
    const hsm = VALID.CMK_VAULTS.replace('vaults/kv-files', 'managedHSMs/hsm1');
    const settings = readSettings({
      ...VALID,
      CMK_VAULTS: `${VALID.CMK_VAULTS}, ${other}\n${hsm} ${other.toUpperCase()}`,
    });

    expect(settings.vaults.all.map(({ uri }) => uri)).toEqual([
      'https://kv-files.vault.azure.net',
      'https://kv-records.vault.azure.net',
      'https://hsm1.managedhsm.azure.net',
    ]);
  });

  it('The settings reject a vault and a Managed HSM of the same name, which calls could not distinguish', () => {
    const hsm = VALID.CMK_VAULTS.replace('vaults/kv-files', 'managedHSMs/KV-files');
    for (const CMK_VAULTS of [`${VALID.CMK_VAULTS},${hsm}`, `${hsm},${VALID.CMK_VAULTS}`]) {
      expect(problemsOf({ ...VALID, CMK_VAULTS })).toEqual([
        expect.stringMatching(/^CMK_VAULTS has a key vault and a Managed HSM that are both named "kv-files"/),
      ]);
    }
  });

  it.each([
    ['AzureUSGovernment', 'https://kv-files.vault.usgovcloudapi.net', 'https://management.usgovcloudapi.net'],
    ['AzureChinaCloud', 'https://kv-files.vault.azure.cn', 'https://management.chinacloudapi.cn'],
  ])('The settings yield the host names of %s', (AZURE_CLOUD, uri, resourceManager) => {
    const settings = readSettings({ ...VALID, AZURE_CLOUD });
    expect(settings.vaults.all[0]?.uri).toBe(uri);
    expect(settings.cloud.resourceManager).toBe(resourceManager);
  });

  it('The settings report all problems at once, each with its name, error and an example', () => {
    const problems = problemsOf({
      CMK_VAULTS: 'kv-files',
      CMK_SUBSCRIPTIONS: 'prod',
      AZURE_CLOUD: 'Mars',
      AZURE_CLIENT_ID: 'me',
      CMK_CANARY: 'some',
    });
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'AZURE_CLOUD',
      'CMK_VAULTS',
      'CMK_SUBSCRIPTIONS',
      'AZURE_CLIENT_ID',
      'AzureWebJobsStorage__accountName',
      'CMK_CANARY',
    ]);

    for (const problem of problems) expect(problem).toMatch(/Example: \S+/);
  });

  it('The settings accept the URIs of the storage where the host cannot derive them', () => {
    const { AzureWebJobsStorage__accountName: _, ...rest } = VALID;
    const settings = readSettings({
      ...rest,
      AZURE_CLOUD: 'AzureUSGovernment',
      AzureWebJobsStorage__blobServiceUri: 'https://stgov.blob.core.usgovcloudapi.net/',
    });

    expect(settings.storage).toEqual({
      accountName: 'stgov',
      blobUri: 'https://stgov.blob.core.usgovcloudapi.net',
      queueUri: 'https://stgov.queue.core.usgovcloudapi.net',
      tableUri: 'https://stgov.table.core.usgovcloudapi.net',
    });
  });

  it('The settings report a connection string beside an identity, and stay valid', () => {
    const identity = { AzureWebJobsStorage__credential: 'managedidentity' };
    const key = 'DefaultEndpointsProtocol=https;AccountName=stcmk;AccountKey=eA==;EndpointSuffix=core.windows.net';
    expect(readSettings({ ...VALID, ...identity }).drift.problems).toEqual([]);
    expect(readSettings({ ...VALID, ...identity, AzureWebJobsStorage: key }).drift.problems).toEqual([
      expect.stringMatching(/^AzureWebJobsStorage is set together with an identity/),
    ]);
    // An emulator is meant.
    const local = { ...VALID, ...identity, AzureWebJobsStorage: 'UseDevelopmentStorage=true' };
    expect(readSettings(local).drift.problems).toEqual([]);
  });

  it.each([
    ['{', /is not JSON/],
    ['[]', /is not a JSON object/],
    ['{"/vault":"/subscriptions/x"}', /a value that is not the ARM id of a system topic/],
  ])('The settings report the error in the system topics %s', (topics, problem) => {
    const { drift } = readSettings({ ...VALID, CMK_SYSTEM_TOPICS: topics });
    expect(drift.problems).toEqual([expect.stringMatching(problem)]);
    expect(drift.systemTopics).toEqual({});
  });

  it('An empty setting counts as missing', () => {
    expect(problemsOf({ ...VALID, CMK_VAULTS: ' ' })).toEqual([expect.stringMatching(/^CMK_VAULTS is missing/)]);
  });
});

describe('a setting by a name that the app does not have', () => {
  const misspelled = { CMK_APPROVAL: 'restore:2', cmk_clients: 'one' };

  it('An unknown setting is reported in Azure, and disables no fix', () => {
    const { drift } = readSettings({
      ...VALID,
      ...misspelled,
      WEBSITE_SITE_NAME: 'func-cmk',
      OTEL_TRACES_SAMPLER: 'x',
    });

    expect(drift.problems).toEqual([
      expect.stringMatching(/^CMK_APPROVAL is not a setting .* has no effect/),
      expect.stringMatching(/^cmk_clients is not a setting/),
    ]);
    expect(drift.autofix).toEqual(DEFAULT_AUTOFIX);
  });

  it('A setting of the host for the connection to the work zone is not reported as unknown', () => {
    const identity = { CMK_WORK__credential: 'managedidentity', CMK_WORK__clientId: 'x' };
    expect(readSettings({ ...VALID, ...identity, WEBSITE_SITE_NAME: 'func-cmk' }).drift.problems).toEqual([]);
  });

  it('An unknown setting is not reported in a shell', () => {
    expect(
      readSettings({ ...VALID, CMK_API: 'https://x', CMK_PROFILE: 'p', CMK_ENTRA: 'skip' }).drift.problems,
    ).toEqual([]);
  });
});

describe('the three places that list the settings', () => {
  const names = Object.keys(SETTINGS);
  const file = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');

  it('local.settings.sample.json has each setting', () => {
    expect(existsSync(new URL('../../local.settings.sample.json', import.meta.url))).toBe(true);
    const { Values: sample } = JSON.parse(file('local.settings.sample.json'));
    expect(sample.CMK_AUTOFIX).toBe(DEFAULT_AUTOFIX.join(','));
    const values = Object.keys(sample);
    expect(values.filter((name) => !name.startsWith('FUNCTIONS_')).sort()).toEqual([...names].sort());
  });

  it('The example of every setting is valid', () => {
    for (const setting of Object.values(SETTINGS)) expect(setting.schema.safeParse(setting.example).success).toBe(true);
  });
});
