import { describeFailure } from '../../azure/failure.ts';
import { type Part, readPart, type UnreadPart, unreadOf, unreadPart } from '../../azure/read-or-why.ts';
import type { EventGrid } from '../../events/event-grid-client.ts';
import { judgeSubscriptions, type WantedSubscription } from '../../events/subscription.ts';
import type { KeyCatalog } from '../../keys/key-admin-client.ts';
import { readKeysRight, readVaultRight } from '../../keys/key-rights.ts';
import type { ManagedVault } from '../../keys/managed-vaults.ts';
import type { Settings } from '../../settings/settings.ts';
import { DAY_MS } from '../../time/spans.ts';
import type { KeyDenial } from '../../vaults/key-policies.ts';
import type { KeyPolicies } from '../../vaults/key-policy-client.ts';
import type { Vaults } from '../../vaults/vault-client.ts';
import type { VaultGuards } from '../../vaults/vault-guards-client.ts';
import type { DeadLetter, Rules, VaultSubject } from '../checks/subjects.ts';
import type { AppState } from '../store/app-state-client.ts';
import { GatheredPolicies } from './gather-policies.ts';
import { VAULT_ACCESS, VaultRoles, type VaultRolesServices } from './vault-roles.ts';

/** A managed vault with everything that the app read. */
export interface GatheredVault {
  readonly subject: VaultSubject;
  /** Whether the vault does not exist. */
  readonly gone: boolean;
  readonly roles: VaultRoles;
  /** Names of the vault's keys. */
  readonly keys: Part<readonly string[]>;
  /** Azure Policy denials of new versions of its keys. */
  readonly denials: readonly KeyDenial[];
  readonly unread: readonly UnreadPart[];
}

export type VaultServices = VaultRolesServices & {
  readonly settings: Settings;
  readonly vaults: Vaults;
  readonly vaultGuards: VaultGuards;
  readonly keyPolicies: KeyPolicies;
  readonly eventGrid: EventGrid;
  readonly keyCatalog: KeyCatalog;
  readonly driftStorage: Pick<AppState, 'deadLetters'>;
};

/** The managed vaults. Reads each vault once, on first use. */
export class GatheredVaults {
  readonly #services: VaultServices;
  readonly #rules: Rules;
  readonly #signal: AbortSignal | undefined;
  readonly #policies: GatheredPolicies;
  readonly #vaults = new Map<string, Promise<GatheredVault>>();
  #deadLetters: Promise<Part<readonly DeadLetter[]>> | undefined;

  constructor(services: VaultServices, rules: Rules, signal: AbortSignal | undefined) {
    this.#services = services;
    this.#rules = rules;
    this.#signal = signal;
    this.#policies = new GatheredPolicies(services.keyPolicies, rules.now, signal);
  }

  /** Undefined if the vault is not managed. */
  get(uri: string): Promise<GatheredVault> | undefined {
    const vault = this.#services.settings.vaults.all.find((one) => one.uri === uri);
    if (!vault) return undefined;
    const reading = this.#vaults.get(uri) ?? this.#read(vault);
    this.#vaults.set(uri, reading);
    return reading;
  }

  /** Every vault read so far. */
  all(): Promise<GatheredVault[]> {
    return Promise.all(this.#vaults.values());
  }

  /** Undelivered events of the last day. */
  deadLetters(): Promise<Part<readonly DeadLetter[]>> {
    const what = {
      resource: 'cmk-deadletter',
      what: 'the events that could not be delivered',
      action: 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read',
    };
    const since = new Date(this.#rules.now.getTime() - DAY_MS);
    this.#deadLetters ??= readPart(what, () => this.#services.driftStorage.deadLetters(since));
    return this.#deadLetters;
  }

  async #read(vault: ManagedVault): Promise<GatheredVault> {
    const context = { deadLetters: await this.deadLetters(), policies: this.#policies };
    return gatherVault(vault, context, this.#services, this.#rules, this.#signal);
  }
}

async function gatherVault(
  vault: ManagedVault,
  { deadLetters, policies }: { readonly deadLetters: Part<readonly DeadLetter[]>; readonly policies: GatheredPolicies },
  services: VaultServices,
  rules: Rules,
  signal: AbortSignal | undefined,
): Promise<GatheredVault> {
  const resource = vault.id;
  const [properties, events, keys, auditLog, locked] = await Promise.all([
    readPart({ resource, what: VAULT_ACCESS.vault, action: readVaultRight(vault) }, async () => {
      try {
        return await services.vaults.get(vault, signal);
      } catch (error) {
        if (describeFailure(error).kind === 'notFound') return undefined;
        throw error;
      }
    }),
    // A Managed HSM raises no events.
    rules.wantedSubscriptions && vault.kind === 'vault'
      ? readEvents(vault, rules.wantedSubscriptions, services, signal)
      : undefined,
    readPart({ resource, what: 'the keys of the vault', action: readKeysRight(vault) }, () =>
      services.keyCatalog.names(vault),
    ),
    readPart(
      {
        resource,
        what: 'the diagnostic settings of the vault',
        action: 'Microsoft.Insights/diagnosticSettings/read',
        beside: true,
      },
      () => services.vaultGuards.sendsAuditLog(vault, signal),
    ),
    readPart(
      { resource, what: 'the locks of the vault', action: 'Microsoft.Authorization/locks/read', beside: true },
      () => services.vaultGuards.isLocked(vault, signal),
    ),
  ]);
  const gone = 'value' in properties && properties.value === undefined;
  const [roles, policed] = await Promise.all([
    VaultRoles.read(vault, properties, services, signal),
    gone ? { denials: [], unread: [] } : policies.of(vault),
  ]);
  const own =
    'value' in deadLetters
      ? { value: deadLetters.value.filter(({ source }) => source.toLowerCase() === vault.id.toLowerCase()) }
      : deadLetters;
  return {
    subject: gone
      ? { vault, properties, events: undefined, deadLetters: own }
      : { vault, properties, events, deadLetters: own, auditLog, locked },
    gone,
    roles,
    keys,
    denials: policed.denials,
    // A missing vault is one finding, without a finding for each of its parts.
    unread: gone ? [] : [...unreadOf([properties, events, keys, auditLog, locked]), ...roles.unread, ...policed.unread],
  };
}

async function readEvents(
  vault: ManagedVault,
  wanted: readonly WantedSubscription[],
  { eventGrid }: { readonly eventGrid: EventGrid },
  signal: AbortSignal | undefined,
): Promise<NonNullable<VaultSubject['events']>> {
  const what = {
    resource: vault.id,
    what: 'the event subscriptions of the vault',
    action: 'Microsoft.EventGrid/eventSubscriptions/read',
  };
  const read = await readPart(what, () => eventGrid.read(vault, signal));
  if ('unread' in read || read.value.topicUnreadable === undefined) return read;
  if (judgeSubscriptions(wanted, read.value.subscriptions).every(({ is }) => is === 'right')) return read;
  // The vault lacks required event subscriptions. Its unreadable topic may have them.
  const onTopic = { ...what, what: 'the system topic of the vault', action: 'Microsoft.EventGrid/systemTopics/read' };
  return { unread: unreadPart(onTopic, read.value.topicUnreadable) };
}
