import { readFileSync } from 'node:fs';
import {
  eventParameters,
  type MainOutputs,
  readMainOutputs,
  type SystemTopic,
} from '../../../scripts/infra/event-parameters.ts';
import { PROFILES } from '../../../scripts/infra/templates.ts';
import { deploy } from './deploy.ts';
import { DryAzure } from './dry-azure.ts';
import { asObject, type JsonObject } from './json.ts';

export const SUBSCRIPTION = '11111111-1111-1111-1111-111111111111';
export const OTHER_SUBSCRIPTION = '22222222-2222-2222-2222-222222222222';
export const TENANT = '99999999-9999-9999-9999-999999999999';
export const VAULT = `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/kv-files`;
export const OTHER_VAULT = `/subscriptions/${OTHER_SUBSCRIPTION}/resourceGroups/rg-records/providers/Microsoft.KeyVault/vaults/kv-records`;

const FILES = {
  main: 'infra/azuredeploy.json',
  events: 'infra/compiled/events.json',
  rights: 'infra/compiled/rights.json',
  demo: 'infra/compiled/demo.json',
  policy: 'infra/compiled/policy.json',
  update: 'infra/compiled/update.json',
} as const;

export type TemplateName = keyof typeof FILES;

/** A committed compiled template. `npm run infra` writes them; CI fails when one is stale. */
export function template(name: TemplateName): JsonObject {
  return asObject(JSON.parse(readFileSync(new URL(`../../../${FILES[name]}`, import.meta.url), 'utf8')), name);
}

/** What a profile's parameter file comes to (`npm run infra` compiles it), in an environment of its own. */
export function profileParameters(profile: keyof typeof PROFILES): JsonObject {
  const file = JSON.parse(readFileSync(new URL(`../../../${PROFILES[profile].compiled}`, import.meta.url), 'utf8'));
  const entries = Object.entries(asObject(file.parameters, 'parameters'));
  return Object.fromEntries(entries.map(([name, entry]) => [name, asObject(entry, name).value ?? null]));
}

export const MAIN_PARAMETERS: JsonObject = {
  environmentName: 'test',
  location: 'westeurope',
  managedVaults: [VAULT, OTHER_VAULT],
  storageSubscriptions: [SUBSCRIPTION, OTHER_SUBSCRIPTION],
  apiClientId: '44444444-4444-4444-4444-444444444444',
};

/** Deploys a template to nowhere, or to what is `there` already, and shows what it asks for. */
export async function dryRun(
  name: TemplateName,
  parameters: JsonObject,
  { cloud, there }: { cloud?: JsonObject; there?: Readonly<Record<string, JsonObject>> } = {},
): Promise<{ azure: DryAzure; outputs: JsonObject }> {
  const azure = new DryAzure(there);
  const outputs = await deploy(
    {
      template: template(name),
      parameters,
      ...(cloud ? { cloud } : {}),
      scope: { subscriptionId: SUBSCRIPTION, ...(name === 'demo' ? { resourceGroup: 'rg-demo' } : {}) },
      location: 'westeurope',
      tenantId: TENANT,
      deployerId: '55555555-5555-5555-5555-555555555555',
    },
    azure,
  );

  return { azure, outputs };
}

/** What the main template asks for with these parameters beside the usual ones. */
export async function mainWith(parameters: JsonObject): Promise<DryAzure> {
  return (await dryRun('main', { ...MAIN_PARAMETERS, ...parameters })).azure;
}

/** Outputs of the main template as azd keeps them in the environment, text or JSON, and as the scripts read them there. */
export function mainOutputs(outputs: JsonObject, more: Readonly<Record<string, string>> = {}): MainOutputs {
  const texts = Object.entries(outputs).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);

  return readMainOutputs({
    ...Object.fromEntries(texts),
    AZURE_ENV_NAME: 'test',
    AZURE_LOCATION: 'westeurope',
    ...more,
  });
}

/** The parameters of the events template, after main, as the scripts write them; `topics` are there already. */
export function eventValues(main: MainOutputs, topics: readonly SystemTopic[] = []): JsonObject {
  const parameters = Object.entries(eventParameters(main, topics));
  return Object.fromEntries(parameters.map(([name, { value }]) => [name, value])) as JsonObject;
}

/** The events template, deployed after main with what main gave. */
export async function dryRunEvents(
  outputs: JsonObject,
  topics: readonly SystemTopic[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<DryAzure> {
  return (await dryRun('events', eventValues(mainOutputs(outputs, environment), topics))).azure;
}
