/**
 * Deploys without azd, with the Azure CLI alone: infrastructure, package, event subscriptions.
 *
 *   AZURE_ENV_NAME=prod AZURE_LOCATION=westeurope CMK_VAULTS=/subscriptions/… npx node scripts/infra/deploy.ts
 *
 * The variables are those of an azd environment: infra/main.bicepparam lists them. With `--package <zip>` it uploads that one,
 * as `npm run bundle` makes it (dist/app.zip), or what is at that https address, and builds none: then it needs no packages of
 * npm. With `--sha256` it is compared first. CMK_PROFILE=bank takes infra/main.bank.bicepparam, CMK_PROFILE=landing-zone
 * infra/main.landing-zone.bicepparam.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { az } from './az.ts';
import { deployEvents } from './deploy-events.ts';
import { deploymentName, type FinishedDeployment, outputsOf } from './deployment.ts';
import { readMainOutputs } from './event-parameters.ts';
import { findTopics, keyVaultsIn, topicsByVault } from './find-topics.ts';
import { publishTo, readPackage } from './publish.ts';
import { PROFILES } from './templates.ts';

const root = join(import.meta.dirname, '../..');
const {
  AZURE_ENV_NAME: environment,
  AZURE_LOCATION: location,
  AZURE_SUBSCRIPTION_ID: subscription,
  CMK_VAULTS: vaults,
} = process.env;
if (!environment || !location || !vaults) {
  throw new Error('Set AZURE_ENV_NAME, AZURE_LOCATION and CMK_VAULTS; docs/how-to/deploy-azd.md explains them.');
}

const profile = process.env.CMK_PROFILE ?? '';
const profiles: Readonly<Record<string, { readonly source: string }>> = PROFILES;
if (profile && !Object.hasOwn(profiles, profile)) {
  throw new Error(`There is no profile ${profile}: CMK_PROFILE is ${Object.keys(profiles).join(', ')}, or not set.`);
}
if (profile === 'bank' && !process.env.CMK_ALLOWED_CALLERS?.trim()) {
  throw new Error(
    'Set CMK_ALLOWED_CALLERS: with CMK_PROFILE=bank the app and its deployment service are open to named ranges alone.',
  );
}

const { package: from, sha256 } = parseArgs({
  options: { package: { type: 'string' }, sha256: { type: 'string' } },
}).values;
const zip = from === undefined ? undefined : await readPackage(from, sha256);

const vaultIds = keyVaultsIn(vaults);
process.env.CMK_SYSTEM_TOPICS = JSON.stringify(topicsByVault(vaultIds, findTopics(vaultIds)));
console.log('infrastructure …');
const deployment = az(
  ...['deployment', 'sub', 'create', '--name', deploymentName('cmk', environment, location), '--location', location],
  // As azd has it, in an environment that is taken over from there.
  ...(subscription ? ['--subscription', subscription] : []),
  ...[
    '--template-file',
    join(root, 'infra/main.bicep'),
    '--parameters',
    join(root, profiles[profile]?.source ?? 'infra/main.bicepparam'),
  ],
) as FinishedDeployment;
const main = readMainOutputs({ ...process.env, ...outputsOf(deployment) });

console.log('package …');
await publishTo(main.functionAppId, zip);

console.log('events …');
await deployEvents(main);
console.log(`done: ${outputsOf(deployment).CMK_API}`);
