import { describeAnswerOf, describeFailure, type Failure, parseLinkedRight } from '../../azure/failure.ts';
import { CmkError } from '../../errors/errors.ts';
import type { Reason } from '../../errors/reasons.ts';
import { CRYPTO_OFFICER } from '../../identities/key-roles.ts';
import { findSignInTrouble } from '../procedures/sign-in.ts';

export interface Explanation {
  readonly reason: Reason;
  readonly message: string;
  readonly nextStep: string;
}

/** A reason and its next step, with a message if Azure's own is unclear. */
type Explained = readonly [reason: Reason, nextStep: string, message?: string];

/** Explains any error with a message and the next step. */
export function explain(error: unknown): Explanation {
  if (error instanceof CmkError) return { reason: error.reason, message: error.message, nextStep: error.nextStep };
  const failure = describeFailure(error);
  if (failure.block) return failure.block;
  const own = BY_CODE[failure.code] ?? missingRight(failure);
  const [reason, nextStep, message = own ? failure.message : describeAnswerOf(failure)] = own ?? byKind(failure, error);
  return { reason, message, nextStep };
}

/** Errors by Azure's code. The tests list the codes that Azure was observed to return. */
const BY_CODE: Readonly<Record<string, Explained>> = {
  KeyVaultPolicyError: [
    'PurgeProtectionOff',
    'Turn it on (it cannot be turned off again): cmk vault ensure <vault>; of a Managed HSM: az keyvault update-hsm --hsm-name <name> --enable-purge-protection true',
    'Storage accepts no keys from a vault or Managed HSM without purge protection.',
  ],
  KeyVaultAuthenticationFailure: [
    'IdentityHasNoAccess',
    'Grant the identity its role (cmk admin ensure-identity <identity> --vault <vault>, or --hsm <name>), wait some minutes, and check that the key is enabled and not expired, and that the firewall of the vault allows trusted services.',
    "Storage could not use the key with the account's identity.",
  ],
  HttpResourceNotFound: ['KeyNotFound', 'Check vault, key and version: cmk key show <key> --vault <vault>'],
  KeyVaultKeyNotSupported: [
    'KeyUnsupported',
    'Create a key under another name: cmk key ensure <name> --vault <vault> --size 3072',
    'Storage supports only RSA and RSA-HSM keys of 2048, 3072 and 4096 bits.',
  ],
  MissingMsiHeaders: [
    'IdentityHasNoAccess',
    'Attach an identity: cmk account enable <account> --identity <identity> …',
    'The account has no identity for its key.',
  ],
  ResourceGroupNotFound: [
    'NotFound',
    'Create the resource group (az group create --name <group> --location <region>), or name another one.',
  ],
  SubscriptionNotFound: ['NotFound', 'Check --subscription: `az account list` shows what your sign-in sees.'],
  VaultAlreadyExists: ['NameTaken', 'Choose another name: vault names are unique in all Azure, deleted ones included.'],
  StorageAccountAlreadyTaken: ['NameTaken', 'Choose another name: account names are unique in all Azure.'],
  ObjectIsDeletedButRecoverable: ['NameTaken', 'Recover it (az keyvault key recover), or choose another name.'],
};

function missingRight(failure: Failure): Explained | undefined {
  const { code, message } = failure;
  if (code === 'AuthorizationFailed') {
    const [, action, scope = 'the resource'] = /perform action '([^']+)' over scope '([^']+)'/.exec(message) ?? [];

    return [
      'MissingPermission',
      `Ask an Owner or User Access Administrator of ${scope} for a role with this right; a role takes some minutes to take effect.`,
      action && `Your sign-in lacks the right ${action} on ${scope}.`,
    ];
  }

  if (code !== 'LinkedAuthorizationFailed') return undefined;

  const { actions, scopes } = parseLinkedRight(failure) ?? {};

  return [
    'MissingPermission',
    actions === undefined || /userAssignedIdentities/i.test(actions)
      ? `Ask for Managed Identity Operator on ${scopes ?? 'the identity'}: attaching the identity needs this right.`
      : `Ask for a role with ${actions} on ${scopes}: the change refers to this resource.`,
    actions && `Your sign-in lacks the right ${actions} on ${scopes}.`,
  ];
}

function byKind(failure: Failure, error: unknown): Explained {
  const trouble = findSignInTrouble(error);
  if (trouble) {
    const reason = trouble.kind === 'unreachable' ? 'ServiceUnavailable' : 'SignInNeeded';
    return [reason, `${trouble.nextStep} \`cmk doctor\` shows what works.`, trouble.message];
  }

  switch (failure.kind) {
    case 'forbidden':
      return ['MissingPermission', forbiddenStep(failure, error)];
    case 'throttled': {
      const wait = `Run it again in ${failure.retryAfterSeconds ?? 60} s: completed steps stay done.`;
      return ['Throttled', wait, 'Azure is throttling.'];
    }
    case 'unavailable':
      return unavailable(failure, error);
    case 'conflict':
      return [
        'Refused',
        'If Azure names an obstacle, remove it; if another change is in progress, run the command again afterwards.',
      ];
    case 'notFound':
      return ['NotFound', 'Check names and subscription.'];
    case 'refused':
      return ['Refused', 'Correct the problem that Azure describes here.'];
    default:
      return ['Unexpected', 'Run it again with CMK_DEBUG=1 for the stack, and report it.'];
  }
}

/** Detects a vault that does not exist: its name does not resolve, or a proxy answers 502. */
function unavailable(failure: Failure, error: unknown): Explained {
  const { status, code, message } = failure;
  const vault = vaultOf(error);
  if (vault !== undefined && (status === 502 || code === 'ENOTFOUND' || /\bENOTFOUND\b/.test(message))) {
    return [
      'VaultNotFound',
      'Check its name (`cmk doctor --vault <vault>` shows whether your sign-in sees it); a vault with a private endpoint is reachable only from its network.',
      `The vault ${vault} does not answer: ${describeAnswerOf(failure)}`,
    ];
  }

  return [
    'ServiceUnavailable',
    'Check names and network, and run it again: completed steps stay done. `cmk doctor` shows what works.',
    `${hostOf(error) ?? 'Azure'} could not be reached: ${describeAnswerOf(failure)}`,
  ];
}

function hostOf(error: unknown): string | undefined {
  const { request, hostname } = error as { request?: { url?: unknown }; hostname?: unknown };
  if (typeof request?.url === 'string' && URL.canParse(request.url)) return new URL(request.url).hostname;
  return typeof hostname === 'string' ? hostname : undefined;
}

function vaultOf(error: unknown, kinds = 'vault|managedhsm'): string | undefined {
  return new RegExp(`^([\\w-]+)\\.(?:${kinds})\\.`).exec(hostOf(error) ?? '')?.[1];
}

/** Next step for a Managed HSM. Its error names the missing right and scope, except for lists. */
function hsmStep(hsm: string, message: string): string {
  const [, action, scope = '/keys'] = /to access (\S+) on (\S+)/.exec(message) ?? [];
  const role = action?.includes('/deletedKeys/') ? 'Managed HSM Crypto Officer' : CRYPTO_OFFICER.local.name;
  return `Azure RBAC roles do not apply there. Ask its role administrator: az keyvault role assignment create --hsm-name ${hsm} --role "${role}" --assignee <you> --scope ${scope}`;
}

/** Next step for a forbidden call. Key Vault explains it in its message, except for lists of keys or versions. */
function forbiddenStep({ message, code }: Failure, error: unknown): string {
  const vault = vaultOf(error) ?? '<vault>';
  const hsm = vaultOf(error, 'managedhsm');

  if (/firewall|not allowed access|client address/i.test(message)) {
    return 'The firewall of the vault or account blocks this network: run it from an allowed network.';
  }

  if (/disabled/i.test(message)) {
    return `The key version is disabled: cmk key show <key> ${hsm ? '--hsm' : '--vault'} ${vault}`;
  }
  if (hsm) return hsmStep(hsm, message);

  if (code.startsWith('Forbidden')) {
    const role = `Assign yourself Key Vault Crypto Officer: cmk admin grant-role --assignee me --vault ${vault}; a new role takes some minutes to take effect.`;
    return message === '' ? `${role} If you already have it, the firewall of the vault may block this network.` : role;
  }

  return 'Ask for a role with this right; a new role takes some minutes to take effect.';
}
