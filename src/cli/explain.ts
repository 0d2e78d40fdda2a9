import { describeFailure, type Failure } from '../azure/failure.ts';
import { CmkError } from '../errors.ts';
import type { Reason } from '../reasons.ts';
import { describe } from '../work/outcome.ts';

/** An error as a person is told it. */
export interface Explanation {
  readonly reason: Reason;
  readonly message: string;
  readonly nextStep: string;
}

type Sentence = (failure: Failure) => Explanation;

/** Azure's codes as sentences with the next step. Codes: those seen on the wire, see the tests. */
const BY_CODE: Readonly<Record<string, Sentence>> = {
  KeyVaultPolicyError: () => ({
    reason: 'PurgeProtectionOff',
    message: 'Storage takes no keys from a vault without purge protection.',
    nextStep: 'Turn it on (it cannot be turned off again): cmk vault ensure <vault>',
  }),
  KeyVaultAuthenticationFailure: () => ({
    reason: 'IdentityHasNoAccess',
    message: "Storage could not use the key with the account's identity.",
    nextStep:
      'Give the identity its role (cmk identity ensure <identity> --vault <vault>), wait some minutes, and see that the key is enabled and not expired and that the firewall of the vault lets trusted services in.',
  }),
  HttpResourceNotFound: ({ message }) => ({
    reason: 'KeyNotFound',
    message: `Storage did not find the key: ${message}`,
    nextStep: 'Check vault, key and version: cmk key status <key> --vault <vault>',
  }),
  KeyVaultKeyNotSupported: () => ({
    reason: 'KeyUnsupported',
    message: 'Storage takes RSA and RSA-HSM keys of 2048, 3072 and 4096 bits only.',
    nextStep: 'Create one under another name: cmk key ensure <name> --vault <vault> --size 3072',
  }),
  MissingMsiHeaders: () => ({
    reason: 'IdentityHasNoAccess',
    message: 'The account has no identity to reach the key with.',
    nextStep: 'Give it one: cmk account enable <account> --identity <identity> …',
  }),
  ResourceGroupNotFound: ({ message }) => ({
    reason: 'NotFound',
    message,
    nextStep: 'Create the resource group (az group create --name <group> --location <region>), or name another one.',
  }),
  SubscriptionNotFound: ({ message }) => ({
    reason: 'NotFound',
    message,
    nextStep: 'Check --subscription: `az account list` shows what your sign-in sees.',
  }),
  VaultAlreadyExists: ({ message }) => ({
    reason: 'NameTaken',
    message,
    nextStep: 'Choose another name: vault names are unique in all Azure, deleted ones included.',
  }),
  StorageAccountAlreadyTaken: ({ message }) => ({
    reason: 'NameTaken',
    message,
    nextStep: 'Choose another name: account names are unique in all Azure.',
  }),
  ObjectIsDeletedButRecoverable: ({ message }) => ({
    reason: 'NameTaken',
    message,
    nextStep: 'Recover it (az keyvault key recover), or choose another name.',
  }),
  AuthorizationFailed: ({ message }) => {
    const [, action, scope] = /perform action '([^']+)' over scope '([^']+)'/.exec(message) ?? [];
    return {
      reason: 'MissingPermission',
      message: action ? `Your sign-in lacks the right ${action} on ${scope}.` : message,
      nextStep: `Ask an Owner or User Access Administrator of ${scope ?? 'the resource'} for a role that has it; a role given just now takes some minutes.`,
    };
  },
  LinkedAuthorizationFailed: ({ message }) => ({
    reason: 'MissingPermission',
    message,
    nextStep: 'Ask for Managed Identity Operator on the identity: attaching it needs that right.',
  }),
};

/** Anything that was thrown, as a sentence and the next step. */
export function explain(error: unknown): Explanation {
  if (error instanceof CmkError) return { reason: error.reason, message: error.message, nextStep: error.nextStep };
  const failure = describeFailure(error);
  return BY_CODE[failure.code]?.(failure) ?? byKind(failure, error);
}

/** Whether there is no token to be had, whatever was to be asked of Azure. */
export function isSignInFailure(error: unknown): boolean {
  const name = error instanceof Error ? error.name : '';
  return /^(CredentialUnavailable|AggregateAuthentication|AuthenticationRequired|Authentication)Error$/.test(name);
}

function byKind(failure: Failure, error: unknown): Explanation {
  if (isSignInFailure(error)) {
    return {
      reason: 'SignInNeeded',
      message: 'Nobody is signed in to Azure, or the sign-in has expired.',
      nextStep:
        'Run `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; `cmk doctor` shows what works.',
    };
  }
  const message = describe(failure);
  switch (failure.kind) {
    case 'forbidden':
      return { reason: 'MissingPermission', message, nextStep: forbiddenStep(failure) };
    case 'throttled':
      return {
        reason: 'Throttled',
        message: 'Azure is throttling.',
        nextStep: `Run it again in ${failure.retryAfterSeconds ?? 60} s: what is done stays done.`,
      };
    case 'unavailable':
      return {
        reason: 'ServiceUnavailable',
        message: `Azure could not be reached: ${message}`,
        nextStep: 'Check names and network, and run it again: what is done stays done. `cmk doctor` shows what works.',
      };
    case 'conflict':
      return {
        reason: 'Refused',
        message,
        nextStep: 'Somebody else changes it at the same time, or the name is taken: look, and run it again.',
      };
    case 'notFound':
      return { reason: 'NotFound', message, nextStep: 'Check names and subscription.' };
    case 'refused':
      return { reason: 'Refused', message, nextStep: 'Correct what Azure names here.' };
    case 'unexpected':
      return { reason: 'Unexpected', message, nextStep: 'Run it again with CMK_DEBUG=1 for the stack, and report it.' };
  }
}

/** Key Vault says in words why it forbids something. */
function forbiddenStep({ message, code }: Failure): string {
  if (/firewall|not allowed access|client address/i.test(message)) {
    return 'The firewall of the vault or account keeps this network out: run it from one that is let in.';
  }
  if (/disabled/i.test(message)) return 'The key version is disabled: cmk key status <key> --vault <vault>';
  if (code.startsWith('Forbidden')) {
    return 'Give yourself Key Vault Crypto Officer: cmk role ensure --assignee me --vault <vault>; a role given just now takes some minutes.';
  }
  return 'Ask for a role that has this right; a role given just now takes some minutes.';
}
