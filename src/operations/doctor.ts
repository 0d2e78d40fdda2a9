import { errorText } from '../azure/failure.ts';
import { CmkError, SettingsError } from '../errors.ts';
import { managedVault } from '../keys/managed-vaults.ts';
import { type Environment, readSettings } from '../settings/settings.ts';
import { count } from '../text.ts';
import type { ChecklistLine } from './account/checklist.ts';
import type { Operation } from './operator-azure.ts';
import { findVault, keyIn } from './resolve.ts';
import { signInTrouble } from './sign-in.ts';

/** A name that no key has: reading it shows whether keys may be read, and nothing else. */
const NO_KEY = 'cmk-doctor-asks';

/**
 * Whether the command line can work: sign-in, subscriptions, what the vaults let it do, who owns the app registration, and the
 * app's settings where the environment names them. Changes nothing.
 *
 * @param vaults names, ARM ids or URIs; none: those of CMK_VAULTS
 */
export async function examine(
  vaults: readonly string[],
  environment: Environment,
  operation: Operation,
): Promise<ChecklistLine[]> {
  const { azure } = operation;
  const signIn = await check('sign-in', '', async () => {
    const { name, objectId, tenantId, kind } = await azure.operator();
    return `${name} (${kind}, ${objectId}) of tenant ${tenantId}`;
  });
  if (signIn.state === 'failed') return [signIn, ...settings(environment)];
  const subscriptions = await check('subscriptions', 'Ask for Reader on the subscriptions to look after.', async () => {
    const seen = await azure.subscriptions.list();
    if (seen.length === 0) throw new CmkError('NotFound', 'The sign-in sees none.', '');
    return seen.join(', ');
  });
  const named = vaults.length > 0 ? vaults : (environment.CMK_VAULTS ?? '').split(/[\s,;]+/).filter((id) => id !== '');
  const ofVaults = await Promise.all(named.map((vault) => vaultChecks(vault, operation)));
  const fix = 'cmk doctor --vault <vault>';
  const none: ChecklistLine = { check: 'vaults', state: 'unknown', detail: 'None was named.', fix };
  const owners = await registrationOwners(environment, operation);
  const vaultLines = named.length > 0 ? ofVaults.flat() : [none];
  return [signIn, subscriptions, ...vaultLines, ...owners, ...settings(environment)];
}

const CLIENT_ID = /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/i;

/** Who owns the app registration of the API, where the environment names it: an owner can grant all four roles. */
async function registrationOwners(environment: Environment, { azure }: Operation): Promise<ChecklistLine[]> {
  const clientId = CLIENT_ID.exec(`${environment.CMK_API_CLIENT_ID ?? ''} ${environment.CMK_API_AUDIENCE ?? ''}`)?.[0];
  if (clientId === undefined) return [];
  const check = 'owners of the app registration';
  try {
    const owners = await azure.registrationOwners(clientId.toLowerCase());
    if (owners.length === 0) return [{ check, state: 'ok', detail: `${clientId} has none` }];
    const names = owners.map(({ name, objectId, of }) => `${name} (${objectId}) owns the ${of}`).join(', ');
    const detail = `${names}: each can grant CmkKey.Revoke, CmkKey.Restore and the other roles to themselves.`;
    return [{ check, state: 'advice', detail, fix: `CMK_API_CLIENT_ID=${clientId} sh infra/entra.sh --drop-owner` }];
  } catch (error) {
    const fix = 'Ask with a sign-in that may read app registrations in Microsoft Graph.';
    return [{ check, state: 'unknown', detail: `They cannot be read: ${errorText(error)}`, fix }];
  }
}

async function vaultChecks(text: string, { azure }: Operation): Promise<ChecklistLine[]> {
  const name = managedVault(text, azure.cloud)?.name ?? text;
  const seen = await check(`vault ${name}`, 'Ask for Reader on the vault, or check its name.', async () => {
    const vault = await findVault(text, azure);
    return `${vault.id}${vault.purgeProtection ? '' : ', WITHOUT purge protection'}`;
  });
  if (seen.state === 'failed') return [seen];
  const fix = `cmk admin grant-role --assignee me --vault ${name}; if it is the firewall, run this from a network that is let in`;
  const keys = await check(`keys of ${name}`, fix, async () => {
    const vault = await findVault(text, azure);
    await azure.keys.listVersions(keyIn(vault, NO_KEY, azure.cloud));
    return 'can be read';
  });
  return [seen, keys];
}

function settings(environment: Environment): ChecklistLine[] {
  const any = Object.keys(environment).some((name) => /^(CMK_|AzureWebJobsStorage)/.test(name) && environment[name]);
  if (!any) return [];
  try {
    const { vaults } = readSettings(environment);
    return [{ check: 'settings', state: 'ok', detail: `of the app, with ${count(vaults.all.length, 'vault')}` }];
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    const missing = error.problems.filter((problem) => /^\S+ is missing\./.test(problem));
    const wrong = error.problems.filter((problem) => !missing.includes(problem));
    if (wrong.length > 0) {
      const fix = 'Correct them: docs/reference/settings.md lists them all.';
      return [{ check: 'settings', state: 'failed', detail: wrong.join(' '), fix }];
    }
    const names = missing.map((problem) => problem.split(' ')[0]).join(', ');
    const detail = `Of the app's, ${names} ${missing.length === 1 ? 'is' : 'are'} missing.`;
    const fix = 'Only lists and `cmk now` need them, where the app does not answer.';
    return [{ check: 'settings', state: 'unknown', detail, fix }];
  }
}

async function check(name: string, fix: string, run: () => Promise<string>): Promise<ChecklistLine> {
  try {
    return { check: name, state: 'ok', detail: await run() };
  } catch (error) {
    const trouble = signInTrouble(error);
    if (trouble) return { check: name, state: 'failed', detail: trouble.message, fix: trouble.nextStep };
    const detail = errorText(error);
    return { check: name, state: 'failed', detail, fix: error instanceof CmkError && !fix ? error.nextStep : fix };
  }
}
