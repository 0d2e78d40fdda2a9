import { ManagedIdentityCredential } from '@azure/identity';
import { CLIENT_IDS, SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import type { LogRecord } from '../../src/errors/log.ts';
import { createServices, type Services } from '../../src/services.ts';
import type { Environment } from '../../src/settings/settings.ts';

const vault = (name: string): string =>
  `/subscriptions/${SUBSCRIPTION_ID}/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/${name}`;

/** The app's settings for the sample fleet. */
export const SAMPLE_SETTINGS: Environment = {
  CMK_VAULTS: `${vault('kv-files')} ${vault('kv-records')}`,
  AzureWebJobsStorage: 'UseDevelopmentStorage=true',
  CMK_OTHER_DEPENDENTS: 'all',
};

/** The app's own services, unmodified, as the managed identity of the sample fleet's app. */
export function sampleServices(settings: Environment = {}): Services {
  const credential = new ManagedIdentityCredential({ clientId: CLIENT_IDS.appUserAssigned });
  return createServices({ ...SAMPLE_SETTINGS, ...settings }, credential);
}

/** A log that keeps its records. */
export function keptLog(): { readonly log: (record: LogRecord) => void; readonly records: LogRecord[] } {
  const records: LogRecord[] = [];
  return { records, log: (record) => records.push(record) };
}
