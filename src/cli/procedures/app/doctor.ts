import pMap from 'p-map';
import { readMoveDenials } from '../../../accounts/read-move-denials.ts';
import { describeError } from '../../../azure/failure.ts';
import { CONCURRENCY } from '../../../azure/limits.ts';
import { getLastName } from '../../../azure/resource-id.ts';
import { CmkError, SettingsError } from '../../../errors/errors.ts';
import { formatCount, formatFirst } from '../../../formats/text.ts';
import { parseManagedVault } from '../../../keys/managed-vaults.ts';
import { type Environment, readSettings } from '../../../settings/settings.ts';
import { NOW } from '../../../status/now-schemas.ts';
import type { ChecklistLine } from '../account/account-verify.ts';
import { type AppApi, UnansweredError } from '../app-api.ts';
import type { Operation } from '../operator-azure.ts';
import { createKeyIn, findVault } from '../resolve.ts';
import { findSignInTrouble } from '../sign-in.ts';

/** Name that no key has: reading it shows only whether the sign-in may read keys. */
const NO_KEY = 'cmk-doctor-asks';

/**
 * Checks whether command line and app can work: sign-in, the app's answer, subscriptions with their resource providers and what Azure
 * Policy denies in them, rights on the vaults, owners of the app registration, and settings of the app in the
 * environment. Changes nothing.
 *
 * @param vaults names, ARM ids or URIs; empty: the vaults of CMK_VAULTS
 * @param openApp client of the app that the environment names
 */
export async function examineInstallation(
  vaults: readonly string[],
  environment: Environment,
  operation: Operation,
  openApp: () => AppApi,
): Promise<ChecklistLine[]> {
  const { azure } = operation;
  const app = await examineApp(environment, openApp);
  const signIn = await check('sign-in', '', async () => {
    const { name, objectId, tenantId, kind } = await azure.operator();
    return `${name} (${kind}, ${objectId}) of tenant ${tenantId}`;
  });
  if (signIn.state === 'failed') return [signIn, ...app, ...settings(environment)];

  const subscriptions = await check(
    'subscriptions',
    'Ask for Reader on the subscriptions of your accounts.',
    async () => {
      const seen = await azure.subscriptions.list();
      if (seen.length === 0) throw new CmkError('NotFound', 'The sign-in can read no subscription.', '');
      return seen.join(', ');
    },
  );

  const ofSubscriptions = await examineSubscriptions(environment, operation);
  const named = vaults.length > 0 ? vaults : (environment.CMK_VAULTS ?? '').split(/[\s,;]+/).filter((id) => id !== '');
  const ofVaults = await Promise.all(named.map((vault) => vaultChecks(vault, operation)));
  const fix = 'cmk doctor --vault <vault>';
  const none: ChecklistLine = { check: 'vaults', state: 'unknown', detail: 'No vault is named.', fix };
  const owners = await registrationOwners(environment, operation);
  const vaultLines = named.length > 0 ? ofVaults.flat() : [none];

  return [signIn, ...app, subscriptions, ...ofSubscriptions, ...vaultLines, ...owners, ...settings(environment)];
}

/** Whether the app answers and checks, if the environment names it. */
async function examineApp(environment: Environment, open: () => AppApi): Promise<ChecklistLine[]> {
  const { CMK_API: address, CMK_API_AUDIENCE: audience, CMK_FUNCTION_APP_ID: id } = environment;
  if (!address || !audience) return [];

  const check = 'app';
  try {
    const { drift } = await open().get('/now', NOW);
    const { startedOn, old } = drift.value?.report ?? {};
    const last = startedOn === undefined ? 'no check has run yet' : `its last check began ${startedOn}`;
    const detail = `${address} answers; ${last}`;
    if (!old) return [{ check, state: 'ok', detail }];

    return [{ check, state: 'failed', detail: `${detail}, although one is due each hour`, fix: describeRestart(id) }];
  } catch (error) {
    if (error instanceof UnansweredError) {
      return [{ check, state: 'failed', detail: `It does not answer: ${error.message}`, fix: describeRestart(id) }];
    }

    const fix = error instanceof CmkError && error.nextStep ? error.nextStep : 'Ask for the app role CmkKey.Read.';
    return [{ check, state: 'unknown', detail: `It answers, but not your question: ${describeError(error)}`, fix }];
  }
}

/** Names the commands that show whether the function app runs, and start it again. */
function describeRestart(id: string | undefined): string {
  if (!id) return 'Check CMK_API; az functionapp list -o table shows whether the app runs.';
  return `az functionapp show --ids ${id} --query state; az functionapp restart --ids ${id}`;
}

/** Resource providers that the app needs in each subscription whose accounts it manages. */
const PROVIDERS = {
  'Microsoft.EventGrid': 'no event reports a new key version or a change',
  'Microsoft.PolicyInsights': 'no check reports what Azure Policy denies',
} as const;

/** The subscriptions of CMK_SUBSCRIPTIONS, or every readable one: those whose accounts the app manages. */
async function examineSubscriptions(environment: Environment, { azure }: Operation): Promise<ChecklistLine[]> {
  const seen = await azure.subscriptions.list().catch(() => []);
  const managed = (environment.CMK_SUBSCRIPTIONS ?? '').toLowerCase();
  const ids = managed === '' ? seen : seen.filter((id) => managed.includes(id));
  const lines = await pMap(
    ids,
    async (id) => [...(await examineProviders(id, azure)), ...(await examinePolicies(id, azure))],
    { concurrency: CONCURRENCY },
  );

  return lines.flat();
}

async function examineProviders(id: string, { resourceProviders }: Operation['azure']): Promise<ChecklistLine[]> {
  const check = `resource providers of ${id}`;
  try {
    const lines = await pMap(Object.entries(PROVIDERS), async ([namespace, without]): Promise<ChecklistLine[]> => {
      if (await resourceProviders.isRegistered(id, namespace)) return [];

      const fix = `az provider register --namespace ${namespace} --subscription ${id}`;
      return [{ check, state: 'failed', detail: `${namespace} is not registered: ${without}.`, fix }];
    });

    const missing = lines.flat();
    return missing.length > 0 ? missing : [{ check, state: 'ok', detail: 'are registered' }];
  } catch (error) {
    const fix = 'Ask for Reader on the subscription.';
    return [{ check, state: 'unknown', detail: `They cannot be read: ${describeError(error)}`, fix }];
  }
}

/** Names every account that a policy denies: only the app knows which of them are pinned to a key of its vaults. */
async function examinePolicies(id: string, { policyInsights }: Operation['azure']): Promise<ChecklistLine[]> {
  const check = `policies of ${id}`;
  try {
    const { denials } = await readMoveDenials(id, policyInsights);
    if (denials.size === 0) return [{ check, state: 'ok', detail: 'deny no change of a storage account' }];

    const names = formatFirst([...denials.keys()].map(getLastName), 5);
    const assignments = new Set([...denials.values()].flat().map(({ name }) => `"${name}"`));
    const detail = `${formatFirst([...assignments], 3)} would deny the move of ${formatCount(denials.size, 'storage account')}, if pinned: ${names}.`;
    const fix = 'cmk key rotate <key> --dry-run names the accounts of a key, with the exemption to ask for.';

    return [{ check, state: 'advice', detail, fix }];
  } catch (error) {
    const fix =
      'Ask for a role with Microsoft.PolicyInsights/policyStates/queryResults/action, such as Resource Policy Contributor.';
    return [{ check, state: 'unknown', detail: `What they deny cannot be read: ${describeError(error)}`, fix }];
  }
}

const CLIENT_ID = /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/i;

/** Lists owners of the API's app registration, if the environment names it. An owner can grant all four roles. */
async function registrationOwners(environment: Environment, { azure }: Operation): Promise<ChecklistLine[]> {
  const clientId = CLIENT_ID.exec(`${environment.CMK_API_CLIENT_ID ?? ''} ${environment.CMK_API_AUDIENCE ?? ''}`)?.[0];
  if (clientId === undefined) return [];

  const check = 'owners of the app registration';
  try {
    const owners = await azure.registrationOwners(clientId.toLowerCase());
    if (owners.length === 0) return [{ check, state: 'ok', detail: `${clientId} has no owners` }];

    const names = owners.map(({ name, objectId, of }) => `${name} (${objectId}) owns the ${of}`).join(', ');
    const detail = `${names}: each can grant CmkKey.Revoke, CmkKey.Restore and the other roles to themselves.`;

    return [{ check, state: 'advice', detail, fix: `CMK_API_CLIENT_ID=${clientId} sh infra/entra.sh --drop-owner` }];
  } catch (error) {
    const fix = 'Run it with a sign-in that may read app registrations in Microsoft Graph.';
    return [{ check, state: 'unknown', detail: `The owners cannot be read: ${describeError(error)}`, fix }];
  }
}

async function vaultChecks(text: string, { azure }: Operation): Promise<ChecklistLine[]> {
  const name = parseManagedVault(text, azure.cloud)?.name ?? text;
  const seen = await check(`vault ${name}`, 'Ask for Reader on the vault, or check its name.', async () => {
    const vault = await findVault(text, azure);
    return `${vault.id}${vault.purgeProtection ? '' : ', WITHOUT purge protection'}`;
  });
  if (seen.state === 'failed') return [seen];

  const fix = `cmk admin grant-role --assignee me --vault ${name}; if the firewall blocks you, run this from an allowed network`;
  const keys = await check(`keys of ${name}`, fix, async () => {
    const vault = await findVault(text, azure);
    await azure.keys.listVersions(createKeyIn(vault, NO_KEY, azure.cloud));
    return 'can be read';
  });

  return [seen, keys];
}

function settings(environment: Environment): ChecklistLine[] {
  const any = Object.keys(environment).some((name) => /^(CMK_|AzureWebJobsStorage)/.test(name) && environment[name]);
  if (!any) return [];

  try {
    const { vaults } = readSettings(environment);
    return [{ check: 'settings', state: 'ok', detail: `of the app, with ${formatCount(vaults.all.length, 'vault')}` }];
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;

    const missing = error.problems.filter((problem) => /^\S+ is missing\./.test(problem));
    const wrong = error.problems.filter((problem) => !missing.includes(problem));
    if (wrong.length > 0) {
      const fix = 'Correct these settings: docs/reference/settings.md lists all of them.';
      return [{ check: 'settings', state: 'failed', detail: wrong.join(' '), fix }];
    }

    const names = missing.map((problem) => problem.split(' ')[0]).join(', ');
    const detail = `Missing settings of the app: ${names}.`;
    const fix = 'Only lists and `cmk now` need them, if the app does not answer.';

    return [{ check: 'settings', state: 'unknown', detail, fix }];
  }
}

async function check(name: string, fix: string, run: () => Promise<string>): Promise<ChecklistLine> {
  try {
    return { check: name, state: 'ok', detail: await run() };
  } catch (error) {
    const trouble = findSignInTrouble(error);
    if (trouble) return { check: name, state: 'failed', detail: trouble.message, fix: trouble.nextStep };
    const detail = describeError(error);
    return { check: name, state: 'failed', detail, fix: error instanceof CmkError && !fix ? error.nextStep : fix };
  }
}
