import type { Account } from '../../accounts/account.ts';
import type { KeyUse } from '../../accounts/key-use.ts';
import type { Failure } from '../../azure/failure.ts';
import { describe } from '../../azure/failure.ts';
import { type IdentityState, type KeyAccess, keyIdentity } from '../../identities/key-access.ts';
import type { KeyDescription } from '../../keys/key-admin-client.ts';
import { parseVault } from '../../keys/key-identifier.ts';
import { findVersion, type KeyVersion, newestUsableVersion, usability } from '../../keys/key-versions.ts';
import { openRevocation } from '../../revocation/revocation.ts';
import type { Vault } from '../../vaults/vault-client.ts';

/** One thing that has to be right about an account's encryption. */
export interface Check {
  readonly check: string;
  readonly state: 'ok' | 'failed' | 'unknown';
  /** What is, in words. */
  readonly detail: string;
  /** What to do about it. */
  readonly fix?: string;
}

/** Something that was read, or why it could not be. */
export type Read<T> = { readonly value: T } | { readonly failure: Failure };

/** Everything that the checks look at, read before. */
export interface CheckInput {
  readonly account: Account;
  /** Undefined: Microsoft-managed keys. */
  readonly use: KeyUse | undefined;
  /** Undefined: no such vault is seen. */
  readonly vault: Read<Vault | undefined>;
  readonly versions: Read<readonly KeyVersion[]>;
  readonly key: Read<KeyDescription | undefined>;
  /** Of the account's user-assigned identity; undefined: it has none. */
  readonly identity: IdentityState | undefined;
  readonly access: KeyAccess | undefined;
  /** What the file service answered; undefined: the account has no share to ask about. */
  readonly fileService: Read<'served' | undefined>;
  readonly share: string | undefined;
  readonly now: Date;
}

/** The checks, each of them by itself: one that cannot be made does not hide the others. */
export function checkAccount(input: CheckInput): Check[] {
  if (!input.use) {
    const { name } = input.account;
    const fix = `cmk account enable ${name} --vault <vault> --key <key> --identity <identity>`;
    return [{ check: 'key source', state: 'failed', detail: 'Microsoft-managed keys', fix }, fileService(input)];
  }
  return [
    keySource(input.use), // Make sure the account uses a key of Key Vault
    keyThere(input, input.use), // Make sure the key exists and is of a kind that Storage takes
    keyUsable(input, input.use), // Make sure the version in use is enabled and not expired
    versionNewest(input, input.use), // Make sure it is the newest version
    identity(input), // Make sure Storage signs in to Key Vault as somebody
    role(input), // Make sure that somebody may use the key
    purgeProtection(input), // Make sure the key cannot be lost for good by a slip
    fileService(input), // Make sure data is served
  ];
}

function vaultName({ vaultUri }: KeyUse): string {
  return parseVault(vaultUri)?.vaultName ?? vaultUri;
}

function keySource(use: KeyUse): Check {
  return { check: 'key source', state: 'ok', detail: `Key Vault, ${use.vaultUri}/keys/${use.keyName}` };
}

function keyThere({ key, vault, account }: CheckInput, use: KeyUse): Check {
  const check = 'key';
  const name = vaultName(use);
  if ('failure' in key) {
    const gone = 'value' in vault && vault.value === undefined;
    return gone
      ? {
          check,
          state: 'failed',
          detail: 'The vault is gone, or your sign-in does not see it.',
          fix: `az keyvault recover --name ${name}`,
        }
      : { check, state: 'unknown', detail: unread(key), fix: `cmk role ensure --assignee me --vault ${name}` };
  }
  const found = key.value;
  if (!found)
    return {
      check,
      state: 'failed',
      detail: `There is no key ${use.keyName}.`,
      fix: `az keyvault key recover --vault-name ${name} --name ${use.keyName}`,
    };
  const detail = `${found.kty}${found.size === undefined ? '' : ` ${found.size}`}`;
  const supported = /^RSA(?:-HSM)?$/.test(found.kty) && [2048, 3072, 4096].includes(found.size ?? 0);
  return supported
    ? { check, state: 'ok', detail }
    : {
        check,
        state: 'failed',
        detail: `${detail}: Storage takes RSA of 2048, 3072 or 4096 bits`,
        fix: `cmk account change-key ${account.name} --vault ${name} --key <key>`,
      };
}

function keyUsable({ versions, account, now }: CheckInput, use: KeyUse): Check {
  const check = 'version usable';
  const rotate = `cmk key rotate ${use.keyName} --vault ${vaultName(use)}`;
  if ('failure' in versions) return { check, state: 'unknown', detail: unread(versions) };
  const revocation = openRevocation(versions.value);
  if (revocation) {
    const detail = `revoked on ${revocation.revokedOn.toISOString()} by ${revocation.revokedBy}`;
    return { check, state: 'failed', detail, fix: `cmk key restore ${use.vaultUri}/keys/${use.keyName}` };
  }
  const held = use.current ?? use.pinned;
  if (held === undefined) return { check, state: 'unknown', detail: 'Storage does not say which version it uses.' };
  const version = findVersion(versions.value, held);
  if (!version)
    return { check, state: 'failed', detail: `the key has no version ${held}`, fix: `cmk account pin ${account.name}` };
  const state = usability(version, now);
  if (state === 'Usable') return { check, state: 'ok', detail: held };
  if (state === 'Expired') {
    return { check, state: 'failed', detail: `${held} expired; data is still served`, fix: rotate };
  }
  return {
    check,
    state: 'failed',
    detail: `${held} is ${state === 'Disabled' ? 'disabled' : 'not active yet'}`,
    fix: `enable the version, or ${rotate}`,
  };
}

function versionNewest({ versions, account, now }: CheckInput, use: KeyUse): Check {
  const check = 'version newest';
  if ('failure' in versions) return { check, state: 'unknown', detail: unread(versions) };
  const newest = newestUsableVersion(versions.value, now);
  const held = use.current ?? use.pinned;
  if (!newest || held === undefined) return { check, state: 'unknown', detail: 'No version is usable.' };
  const mode = use.pinned === undefined ? 'automatic' : 'pinned';
  if (held === newest.version) return { check, state: 'ok', detail: mode };
  return use.pinned === undefined
    ? {
        check,
        state: 'failed',
        detail: `automatic, and not yet on ${newest.version}: Storage looks once a day`,
        fix: `cmk account pin ${account.name} moves it now, and cmk account unpin makes it automatic again`,
      }
    : {
        check,
        state: 'failed',
        detail: `pinned, and ${newest.version} is newer`,
        fix: `cmk account pin ${account.name}`,
      };
}

function identity({ identity: state, account }: CheckInput): Check {
  const check = 'identity';
  const chosen = account.encryption.encryptionIdentity?.encryptionUserAssignedIdentity;
  const named = keyIdentity(account, state);
  if ('missing' in named) {
    return {
      check,
      state: 'failed',
      detail: named.missing,
      fix: `cmk account enable ${account.name} … --identity <identity>${chosen ? ' --replace-identity' : ''}`,
    };
  }
  if (state?.is === 'unknown') return { check, state: 'unknown', detail: state.why };
  return { check, state: 'ok', detail: chosen?.split('/').at(-1) ?? 'system-assigned' };
}

function role({ access, vault }: CheckInput): Check {
  const check = 'role on the key';
  if (!access || access.reason === 'IdentityMissing' || access.reason === 'IdentityDeleted')
    return { check, state: 'unknown', detail: 'There is no identity to look at.' };
  if (access.ready === true) return { check, state: 'ok', detail: 'may read, wrap and unwrap' };
  const detail = access.missing.join(' ');
  if (access.ready === 'unknown') return { check, state: 'unknown', detail };
  const name = 'value' in vault ? vault.value?.name : undefined;
  return {
    check,
    state: 'failed',
    detail,
    fix: `cmk role ensure --assignee ${access.principalId} --vault ${name ?? '<vault>'}`,
  };
}

function purgeProtection({ vault }: CheckInput): Check {
  const check = 'purge protection';
  if ('failure' in vault) return { check, state: 'unknown', detail: unread(vault) };
  if (!vault.value) return { check, state: 'unknown', detail: 'Your sign-in does not see the vault.' };
  const { purgeProtection: on, softDelete, name } = vault.value;
  if (on && softDelete) return { check, state: 'ok', detail: 'on, with soft delete' };
  return { check, state: 'failed', detail: on ? 'soft delete is off' : 'off', fix: `cmk vault ensure ${name}` };
}

function fileService({ fileService: answer, share, account }: CheckInput): Check {
  const check = 'file service';
  if ('value' in answer) {
    return answer.value === 'served'
      ? { check, state: 'ok', detail: `share ${share} is served` }
      : { check, state: 'unknown', detail: 'The account has no file share to ask about.' };
  }
  const { failure } = answer;
  if (failure.status === 403 && /^KeyVault/.test(failure.code)) {
    return {
      check,
      state: 'failed',
      detail: `refused: ${failure.code}`,
      fix: 'see the checks of key, version and role',
    };
  }
  const fix = `ask for Storage File Data Privileged Reader on ${account.name}`;
  return {
    check,
    state: 'unknown',
    detail: `The share cannot be asked: ${describe(failure)}`,
    ...(failure.kind === 'forbidden' ? { fix } : {}),
  };
}

function unread(read: { failure: Failure }): string {
  return `It cannot be read: ${describe(read.failure)}`;
}
