/** What is known of an account before something of it is revoked. */
export interface AccountFacts {
  readonly account: string;
  /** The encryption scope that is revoked; undefined: the account's identity. */
  readonly scope: string | undefined;
  /** `<vault>/<key>` */
  readonly key: string;
  readonly shares: readonly string[];
  /** The account's encryption scopes that use a key, with `<vault>/<key>` of each. */
  readonly scopes: readonly { readonly name: string; readonly key: string }[];
  /** Whether a role is taken away on the whole vault. */
  readonly onVault: boolean;
  /** Whether the key is in a Managed HSM, which has roles of its own. */
  readonly inHsm: boolean;
}

/** What a revocation below the key does, in sentences for whoever decides about it. */
export interface AccountEffects {
  readonly stops: readonly string[];
  readonly goesOn: readonly string[];
  readonly takesEffect: string;
  readonly notDocumented: readonly string[];
}

/** Says what stops and what goes on. What Microsoft does not say is said to be so, and nothing here rests on it. */
export function accountEffects(facts: AccountFacts): AccountEffects {
  return facts.scope === undefined ? ofIdentity(facts) : ofScope(facts, facts.scope);
}

function ofScope({ account, key, scopes }: AccountFacts, scope: string): AccountEffects {
  const others = scopes.map(({ name }) => name).filter((name) => name !== scope);
  return {
    stops: [
      `Reading and writing every blob of ${account} that was written with the encryption scope ${scope}, in whichever container (403).`,
    ],
    goesOn: [
      `The file shares of ${account}: Azure Files has no encryption scopes. To stop a share, revoke the account.`,
      `Blobs of ${account} without a scope${others.length > 0 ? `, and with its scopes ${others.join(', ')}` : ''}.`,
      `The key ${key}, and everybody else who uses it.`,
    ],
    takesEffect: 'Requests that come after it are refused (Azure Storage, "Encryption scopes for Blob storage").',
    notDocumented: ['How many seconds it takes, and what becomes of a request that is under way.'],
  };
}

function ofIdentity({ account, key, shares, scopes, onVault, inHsm }: AccountFacts): AccountEffects {
  const [vault] = key.split('/');
  const stopped = scopes.filter((one) => one.key === key || (onVault && one.key.startsWith(`${vault}/`)));
  const others = scopes.filter((one) => !stopped.includes(one));
  const names = (some: readonly { readonly name: string }[]): string => some.map(({ name }) => name).join(', ');
  return {
    stops: [
      `All data of ${account} under the key ${key}: ${shares.length > 0 ? `its file shares ${shares.join(', ')}, and` : 'file shares and'} blobs; queues and tables where they are under it.`,
      ...(stopped.length > 0 ? [`Its encryption scopes ${names(stopped)}.`] : []),
      ...(onVault
        ? [`Whatever else the identity does with other keys of ${vault}: the role is of the whole vault.`]
        : []),
    ],
    goesOn: [
      `The key ${key} with all its versions, and every other account that uses it.`,
      ...(others.length > 0 ? [`Its encryption scopes ${names(others)}, which use another key.`] : []),
      'Managing the account through Azure Resource Manager, moving it to a key that its identity can use included.',
    ],
    takesEffect: inHsm
      ? 'Requests to the Managed HSM are refused once it has the change; how soon that is, it does not say.'
      : 'A role that was taken away counts for up to 10 minutes more (Azure RBAC, "Troubleshoot Azure RBAC").',
    notDocumented: [
      ...(inHsm ? ['How long a local role counts that was taken away.'] : []),
      'For how long Storage goes on with a key that it has unwrapped before, of Azure Files above all: no figure is published.',
      'Whether SMB handles that are open are cut off with it.',
    ],
  };
}
