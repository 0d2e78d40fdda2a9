import { known } from '../azure/read-or-why.ts';
import { ACCOUNT_CHECKS } from '../drift/checks/checks.ts';
import { evaluate } from '../drift/checks/evaluate.ts';
import type { AccountSubject, KeySubject, Rules, VaultSubject } from '../drift/checks/subjects.ts';
import type { SinceEvidence } from '../drift/finding-since.ts';
import { gatherAccount } from '../drift/gather/gather-account.ts';
import { GatheredIdentities } from '../drift/gather/gather-identities.ts';
import { VaultRoles } from '../drift/gather/vault-roles.ts';
import { healthOfSubject } from '../drift/subject-health.ts';
import type { Account, Scope } from '../fleet/account.ts';
import type { Health } from '../fleet/health.ts';
import { type IdentityState, type KeyAccess, userAssignedIdentity } from '../identities/key-access.ts';
import { formatKeyIdentifier } from '../keys/key-identifier.ts';
import type { ManagedVaults } from '../keys/managed-vaults.ts';
import { cached, readKeyIn, readVault, rulesOfLook } from './account/look-reads.ts';
import type { Azure } from './operator-azure.ts';

interface SeenVault {
  readonly subject: VaultSubject;
  readonly roles: VaultRoles;
}

/** How many accounts stand, as the operator's sign-in sees it: each key, vault, role and identity is read once. */
export class FleetLook {
  readonly #vaults: (uri: string) => Promise<SeenVault>;
  readonly #keys: (id: string) => Promise<KeySubject>;
  readonly #read: Promise<KeySubject>[] = [];
  readonly #identities: GatheredIdentities;
  readonly #subjects = new Map<string, VaultSubject>();
  readonly #rules: Rules;
  readonly #unread: string[];
  readonly #managed: ManagedVaults | undefined;

  /**
   * @param managed the vaults of the app; undefined: every vault counts as one, since it is not known which are
   * @param unread is told what could not be read, one sentence each
   */
  constructor(azure: Azure, managed: ManagedVaults | undefined, unread: string[]) {
    this.#managed = managed;
    this.#unread = unread;
    this.#rules = rulesOfLook(azure.now());
    this.#identities = new GatheredIdentities(azure, undefined);
    this.#vaults = cached((uri) => this.#readVault(uri, azure));
    this.#keys = cached((id) => {
      const reading = readKeyIn(id, async (uri) => (await this.#vaults(uri)).subject, azure);
      this.#read.push(reading);
      return reading;
    });
  }

  /** Those that something was seen to use. */
  keys(): Promise<readonly KeySubject[]> {
    return Promise.all(this.#read);
  }

  /** @param scopes as far as they are looked at */
  subject(account: Account, scopes: readonly Scope[]): Promise<AccountSubject> {
    return gatherAccount(account, {
      key: async (use) =>
        this.#managed && !this.#managed.keyOf(use) ? undefined : this.#keys(formatKeyIdentifier(use)),
      access: (of, key) => this.#access(of, key),
      scopes: async () => scopes,
      isOwn: () => false,
    });
  }

  /** Of the account without its scopes. */
  ofAccount(subject: AccountSubject, reported: SinceEvidence['reported']): Health {
    return this.#health({ ...subject, scopes: [] }, reported, () => true);
  }

  ofScope(subject: AccountSubject, name: string, reported: SinceEvidence['reported']): Health {
    const scopes = subject.scopes.filter(({ scope }) => scope.name === name);
    // One on the account's own key reaches it as the account does.
    const seen = scopes.map((scope) => (scope.key === subject.key ? { ...scope, access: subject.access } : scope));
    const alone = { ...subject, use: undefined, key: undefined, access: undefined, scopes: seen };
    return this.#health(alone, reported, (reason) => reason !== 'NotCustomerManaged');
  }

  #health(subject: AccountSubject, reported: SinceEvidence['reported'], counts: (reason: string) => boolean): Health {
    const found = evaluate(ACCOUNT_CHECKS, subject, subject.account.id, this.#rules);
    const vaultOf = (uri: string) => this.#subjects.get(uri);
    return healthOfSubject(
      subject,
      found.filter(({ reason }) => counts(reason)),
      { vaultOf, rules: this.#rules, reported },
    );
  }

  async #access(account: Account, { key }: KeySubject): Promise<KeyAccess | undefined> {
    const id = userAssignedIdentity(account);
    const identity = id === undefined ? undefined : await this.#identities.stateOf(id);
    const state: IdentityState | undefined =
      identity && ('value' in identity ? identity.value : { is: 'unknown', why: identity.unread.detail });
    const { roles } = await this.#vaults(key.vault.uri);
    const { access, unread } = await roles.accessOf(account, key.name, state);
    if (unread) this.#told(`${unread.what} could not be read: ${unread.detail}`);
    return access;
  }

  async #readVault(uri: string, azure: Azure): Promise<SeenVault> {
    const subject = await readVault(uri, azure);
    const { vault, properties } = subject;
    this.#subjects.set(uri, subject);
    const roles = await VaultRoles.read(vault, properties, azure, undefined);
    if (!known(properties)) {
      const what = vault.kind === 'vault' ? 'vault' : 'Managed HSM';
      this.#told(
        `The ${what} ${vault.name} is not seen by your sign-in: whether identities may use its keys is not known.`,
      );
    }
    for (const { what, detail, beside } of roles.unread) {
      if (!beside) this.#told(`Of the vault ${vault.name} ${what} cannot be read: ${detail}`);
    }
    return { subject, roles };
  }

  #told(text: string): void {
    if (!this.#unread.includes(text)) this.#unread.push(text);
  }
}
