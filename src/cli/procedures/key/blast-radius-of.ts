import type { Journal } from '../../../audit/journal.ts';
import { abortAfter } from '../../../azure/deadline.ts';
import { formatCount, formatFirst } from '../../../formats/text.ts';
import { readBlastRadius } from '../../../key-users/blast-radius.ts';
import type { BlastRadius } from '../../../key-users/dependent.ts';
import type { ManagedKey } from '../../../keys/managed-vaults.ts';
import { type Environment, readSearchSettings, type SearchSettings } from '../../../settings/settings.ts';
import type { Azure } from '../operator-azure.ts';

/**
 * Reads the dependents of a key with the operator's sign-in. Without the app's settings it cannot determine whether the
 * app's own storage is a dependent.
 *
 * @param ms deadline of the read
 */
export function readBlastRadiusAsOperator(
  key: ManagedKey,
  azure: Azure,
  environment: Environment,
  ms: number,
): Promise<BlastRadius> {
  const settings = readOnlySettings(azure, environment);
  return abortAfter((signal) => readBlastRadius(key, { ...azure, settings }, signal), ms);
}

export function readOnlySettings({ cloud }: Azure, environment: Environment): SearchSettings {
  return readSearchSettings({ ...environment, AZURE_CLOUD: cloud.name });
}

/** Number of dependents shown by name; a JSON document has all of them. */
const SHOWN = 20;

export function describeRadius(dependents: BlastRadius | undefined, journal: Journal): void {
  if (!dependents) {
    journal.note('The accounts and resources that depend on the key could not be read.');
    return;
  }

  const { accounts, otherResources, selfLockout, unread } = dependents;
  const shares = accounts.reduce((sum, account) => sum + account.shares.length, 0);

  journal.found(
    `${formatCount(accounts.length, 'storage account')} with ${formatCount(shares, 'file share')} and ${formatCount(otherResources.length, 'other resource')} depend on the key`,
  );

  const names = [
    ...accounts.map(({ name, mode, shares: own, scopes }) => {
      const shown = [
        ...(mode === 'scopesOnly' ? [] : [own.length === 0 ? 'no file share' : listed('file share', own)]),
        ...(scopes.length === 0 ? [] : [listed('encryption scope', scopes)]),
      ];
      return `${name}: ${shown.join('; ')}`;
    }),
    ...otherResources.map(
      ({ name, type, whenRevoked }) =>
        `${name}: ${type}${whenRevoked === undefined ? ', which names the key for an unknown purpose' : `. ${whenRevoked}`}`,
    ),
  ];

  for (const text of names.slice(0, SHOWN)) journal.found(text);

  if (names.length > SHOWN) journal.found(`and ${names.length - SHOWN} more: --json shows all`);

  const open = accounts.filter(({ notCutOff }) => notCutOff.length > 0);
  if (open.length > 0) {
    const parts = open.map(({ name, notCutOff }) => `${name} (${notCutOff.join(', ')})`);
    journal.note(`Data under other keys stays readable: ${formatFirst(parts, SHOWN)}.`);
  }

  if (selfLockout === true) {
    journal.note("The app's own storage is encrypted with this key: while it is revoked the app cannot work.");
  }

  if (selfLockout === 'unknown') {
    journal.note(
      "Whether the app's own storage is encrypted with this key is not known: AzureWebJobsStorage__accountName does not name it, or this sign-in does not see it. If it is, the app cannot work while the key is revoked.",
    );
  }

  for (const { what, detail } of unread) {
    journal.note(`The list may be incomplete: ${what} could not be read. ${detail}`);
  }
}

function listed(noun: string, all: readonly { readonly name: string }[]): string {
  const names = all.map(({ name }) => name);
  return `${noun}${all.length === 1 ? '' : 's'} ${formatFirst(names, 5)}`;
}
