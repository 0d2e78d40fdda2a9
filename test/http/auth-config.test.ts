import { describe, expect, it } from 'vitest';
import { CLOUDS } from '../../src/azure/cloud.ts';
import { getSigningKeysUrl, listAuthConfigProblems, listIssuers } from '../../src/http/auth-config.ts';

const TENANT = '11111111-2222-3333-4444-555555555555';
const CLIENT_ID = 'aaaaaaaa-0000-0000-0000-000000000001';

describe('the settings of authentication', () => {
  it.each([
    [
      'AzureCloud',
      'https://login.microsoftonline.com',
      'https://sts.windows.net',
      ['https://login.microsoftonline.com'],
    ],
    [
      'AzureUSGovernment',
      'https://login.microsoftonline.us',
      'https://sts.windows.net',
      ['https://login.microsoftonline.us'],
    ],
    [
      'AzureChinaCloud',
      'https://login.chinacloudapi.cn',
      'https://sts.chinacloudapi.cn',
      ['https://login.chinacloudapi.cn', 'https://login.partner.microsoftonline.cn'],
    ],
  ])(
    'The settings of authentication accept for %s only tokens of its own sign-in host',
    (name, keysHost, v1Host, v2Hosts) => {
      const cloud = CLOUDS.find((candidate) => candidate.name === name);
      if (!cloud) return expect.unreachable();
      const config = { cloud, tenantId: TENANT, audiences: [CLIENT_ID] };
      expect(listAuthConfigProblems(config)).toEqual([]);
      expect(getSigningKeysUrl(config, TENANT).href).toBe(`${keysHost}/${TENANT}/discovery/v2.0/keys`);
      expect(listIssuers(config, TENANT)).toEqual({
        '1.0': [`${v1Host}/${TENANT}/`],
        '2.0': v2Hosts.map((host) => `${host}/${TENANT}/v2.0`),
      });
    },
  );

  it.each([CLIENT_ID, `api://${CLIENT_ID}`, 'api://cmk-autopilot', 'https://contoso.com/cmk'])(
    'The settings of authentication accept the audience %s',
    (audience) => {
      const cloud = CLOUDS[0];
      if (!cloud) return expect.unreachable();
      expect(listAuthConfigProblems({ cloud, tenantId: TENANT, audiences: [audience] })).toEqual([]);
    },
  );
});
