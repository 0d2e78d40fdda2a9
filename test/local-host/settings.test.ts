import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { connectionString, resolveSettings } from '../../local/host/app-settings.ts';
import { hostSettings, readHostSettings, timeSpanMs } from '../../local/host/host-json.ts';

describe('host.json', () => {
  it('host.json without settings has the defaults of the real host', () => {
    expect(hostSettings({ version: '2.0' })).toEqual({
      routePrefix: 'api',
      queues: {
        messageEncoding: 'base64',
        batchSize: 16,
        newBatchThreshold: 8,
        maxDequeueCount: 5,
        visibilityTimeoutMs: 0,
        maxPollingIntervalMs: 60_000,
      },
      logLevel: {},
    });
  });

  it("The host reads the settings of the app's host.json", async () => {
    const settings = await readHostSettings(join(import.meta.dirname, '../..'));
    expect(settings.queues).toMatchObject({ messageEncoding: 'none', visibilityTimeoutMs: 15_000 });
  });

  it.each([
    [{}, '"version" must be "2.0"'],
    [{ version: '2.0', extensions: { queues: { batchSize: 33 } } }, '"batchSize" must be a whole number from 1 to 32'],
    [{ version: '2.0', extensions: { queues: { messageEncoding: 'utf8' } } }, '"messageEncoding"'],
    [
      { version: '2.0', extensions: { queues: { visibilityTimeout: '15' } } },
      '"visibilityTimeout" must be a time span',
    ],
    [{ version: '2.0', extensions: [] }, '"extensions" is no object'],
  ])('The host rejects the host.json %j', (json, message) => {
    expect(() => hostSettings(json)).toThrow(message);
  });

  it.each([
    ['00:00:15', 15_000],
    ['1.02:03:04', 93_784_000],
    ['00:00:00.2', 200],
    ['00:60:00', undefined],
    ['15', undefined],
  ])('The time span %s is %s ms', (text, ms) => {
    expect(timeSpanMs(text)).toBe(ms);
  });
});

describe('app settings', () => {
  it('An expression in a binding resolves to the app settings that it names', () => {
    expect(resolveSettings('a-%X%-%Y%', { X: '1', Y: '2' })).toBe('a-1-2');
    expect(() => resolveSettings('%X%', {})).toThrow("'%X%' does not resolve: app setting X is missing.");
  });

  it.each([
    ['the setting of the name', 'Mine', { Mine: 'a' }],
    ['AzureWebJobs and the name', 'Mine', { AzureWebJobsMine: 'a' }],
    ['AzureWebJobsStorage without a name', undefined, { AzureWebJobsStorage: 'a' }],
    ['a name from a setting', '%NAME%', { NAME: 'Mine', Mine: 'a' }],
  ])('A connection is found by %s', (_what, name, env) => {
    expect(connectionString(name, env as Record<string, string>)).toBe('a');
  });

  it('The error for a connection names the app setting that is missing', () => {
    expect(() => connectionString(undefined, {})).toThrow('set the app setting AzureWebJobsStorage');
    expect(() => connectionString('Mine', { Mine__accountName: 'x' })).toThrow('identity-based');
  });
});
