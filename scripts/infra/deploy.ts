/**
 * Deploys without azd, with the Azure CLI alone: infrastructure, package, event subscriptions.
 *
 *   AZURE_ENV_NAME=prod AZURE_LOCATION=westeurope CMK_VAULTS=/subscriptions/… npx node scripts/infra/deploy.ts
 *
 * The variables are those of an azd environment: infra/main.bicepparam lists them.
 */
import { join } from 'node:path';
import { bundle } from '../bundle.ts';
import { az } from './az.ts';
import { deployEvents } from './deploy-events.ts';
import { readMainOutputs } from './event-parameters.ts';

const root = join(import.meta.dirname, '../..');
const { AZURE_ENV_NAME: environment, AZURE_LOCATION: location, CMK_VAULTS: vaults } = process.env;
if (!environment || !location || !vaults) {
  throw new Error('Set AZURE_ENV_NAME, AZURE_LOCATION and CMK_VAULTS; docs/deploy.md explains them.');
}

console.log('infrastructure …');
const deployment = az(
  ...['deployment', 'sub', 'create', '--name', `cmk-${environment}`, '--location', location],
  ...['--template-file', join(root, 'infra/main.bicep'), '--parameters', join(root, 'infra/main.bicepparam')],
) as { properties: { outputs: Record<string, { value: unknown }> } };
const outputs = Object.fromEntries(
  Object.entries(deployment.properties.outputs).map(([name, { value }]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]),
);

console.log('package …');
const { zip } = await bundle();
az(
  ...['functionapp', 'deployment', 'source', 'config-zip', '--resource-group', outputs.AZURE_RESOURCE_GROUP ?? ''],
  ...['--name', outputs.CMK_FUNCTION_APP_NAME ?? '', '--src', zip ?? ''],
);

console.log('events …');
await deployEvents(readMainOutputs({ ...process.env, ...outputs }));
console.log(`done: ${outputs.CMK_API}`);
