import pMap from 'p-map';
import { readUnlessMissing } from '../../azure/failure.ts';
import { readOnce } from '../../azure/read-once.ts';
import { getKnown, listUnread, type Part, readPart, toUnreadPart, type UnreadPart } from '../../azure/read-or-why.ts';
import { getLastName } from '../../azure/resource-id.ts';
import { compareSubscriptions } from '../../events/subscription.ts';
import { DAY_MS } from '../../formats/spans.ts';
import type { ManagedVault } from '../../keys/managed-vaults.ts';
import { getScopeOfInitiative, isAppliedTo, isExempt, type KeyDenial, listDenials } from '../../vaults/key-policies.ts';
import type { KeyPolicies } from '../../vaults/key-policy-client.ts';
import type { Rules, VaultSubject } from '../checks/subjects.ts';
import { type GatherServices, PARTS } from './parts.ts';
import { readVaultRoles, type VaultRoles } from './vault-roles.ts';

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

/** The managed vaults. Reads each vault once, on first use. */
export type GatheredVaults = ReturnType<typeof createGatheredVaults>;

export function createGatheredVaults(services: GatherServices, rules: Rules, signal: AbortSignal | undefined) {
  const denials = createKeyDenials(services.keyPolicies, rules.now, signal);
  const since = new Date(rules.now.getTime() - DAY_MS);
  const deadLetters = readOnce((container: string) =>
    readPart(PARTS.deadLetters(container), () => services.driftStorage.deadLetters(since)),
  );

  /** Undelivered events of the last day. */
  const undelivered = () => deadLetters.get('cmk-deadletter');
  const vaults = readOnce(
    async (vault: ManagedVault): Promise<GatheredVault> => {
      const { parts, keys } = await readVault(vault, rules, services, signal);
      const { properties } = parts;
      const isMissing = 'value' in properties && properties.value === undefined;

      // Key Vault serves a vault under its name, whatever its resource group.
      const answers = 'value' in keys || keys.unread.kind === 'forbidden';
      const gone = isMissing && !answers;

      const [roles, policed, all] = await Promise.all([
        readVaultRoles(vault, getKnown(properties), services, signal),
        isMissing ? { denials: [], unread: [] } : denials(vault),
        undelivered(),
      ]);

      const isOwn = ({ source }: { readonly source: string }) => source.toLowerCase() === vault.id.toLowerCase();
      const own = 'value' in all ? { value: all.value.filter(isOwn) } : all;

      // A missing vault is one finding, without a finding for each of its parts.
      const subject: VaultSubject = isMissing
        ? { vault, deadLetters: own, properties, events: undefined, answers }
        : { vault, deadLetters: own, ...parts };
      const read = isMissing ? [] : Object.values(parts);
      const unread = gone ? [] : [...listUnread([...read, keys]), ...roles.unread, ...policed.unread];

      return { subject, gone, roles, keys, denials: policed.denials, unread };
    },
    ({ uri }) => uri,
  );

  return {
    /** Undefined if the vault is not managed. */
    get(uri: string): Promise<GatheredVault> | undefined {
      const vault = services.settings.vaults.all.find((one) => one.uri === uri);
      return vault && vaults.get(vault);
    },
    /** Every vault read so far. */
    all: vaults.all,
    undelivered,
  };
}

async function readVault(vault: ManagedVault, rules: Rules, services: GatherServices, signal: AbortSignal | undefined) {
  const { vaults, vaultGuards, keyCatalog } = services;
  const [properties, events, keys, auditLog, locked] = await Promise.all([
    readPart(PARTS.vault(vault), () => readUnlessMissing(() => vaults.get(vault, signal))),
    // A Managed HSM raises no events.
    vault.kind === 'vault' ? readEvents(vault, rules, services, signal) : undefined,
    readPart(PARTS.keys(vault), () => keyCatalog.names(vault)),
    readPart(PARTS.auditLog(vault.id), () => vaultGuards.sendsAuditLog(vault, signal)),
    readPart(PARTS.locks(vault.id), () => vaultGuards.isLocked(vault, signal)),
  ]);

  return { parts: { properties, events, auditLog, locked }, keys };
}

async function readEvents(
  vault: ManagedVault,
  { wantedSubscriptions: wanted }: Rules,
  { eventGrid }: GatherServices,
  signal: AbortSignal | undefined,
): Promise<VaultSubject['events']> {
  if (!wanted) return undefined;

  const read = await readPart(PARTS.events(vault.id), () => eventGrid.read(vault, signal));
  if ('unread' in read || read.value.topicUnreadable === undefined) return read;
  if (compareSubscriptions(wanted, read.value.subscriptions).every(({ is }) => is === 'right')) return read;

  // The vault lacks required event subscriptions. Its unreadable topic may have them.
  return { unread: toUnreadPart(PARTS.topic(vault.id), read.value.topicUnreadable) };
}

/** Maximum number of concurrent reads of initiatives per vault. */
const CONCURRENT_INITIATIVES = 4;
/** Maximum number of failed or throttled reads per check. Each takes seconds, and the findings are only advice. */
const MOST_UNANSWERED = 3;

/** Azure Policy denials of keys by vault. Reads each initiative once per check, because most vaults share them. */
export function createKeyDenials(policies: KeyPolicies, now: Date, signal: AbortSignal | undefined) {
  let unanswered = 0;
  const readPolicy = async <T>(type: string, resource: string, what: string, read: () => Promise<T>) => {
    const about = { resource, what, action: `Microsoft.Authorization/${type}/read`, isOptional: true };
    if (unanswered >= MOST_UNANSWERED) {
      const detail = `Not read: Azure Policy did not respond ${MOST_UNANSWERED} times in this check.`;
      return { unread: { ...about, kind: 'unavailable', detail } } as const;
    }
    const part = await readPart(about, read);
    if ('unread' in part && /^(unavailable|throttled)$/.test(part.unread.kind)) unanswered += 1;
    return part;
  };

  const initiatives = readOnce((id: string) => {
    const scope = getScopeOfInitiative(id) ?? '';
    // Identified by their scope: the app lacks one permission for all initiatives there.
    return readPolicy('policySetDefinitions', scope || '/', 'the policy initiatives defined in this scope', () =>
      policies.initiative(scope, getLastName(id), signal),
    );
  });

  return async (vault: ManagedVault): Promise<Pick<GatheredVault, 'denials' | 'unread'>> => {
    const read = await readPolicy('policyAssignments', vault.id, 'the policy assignments of the vault', () =>
      policies.assignments(vault, signal),
    );
    const found = await pMap(
      (getKnown(read) ?? []).filter((assignment) => isAppliedTo(assignment, vault)),
      async (assignment) => {
        const id = assignment.properties.policyDefinitionId;
        const initiative = getScopeOfInitiative(id) === undefined ? undefined : await initiatives.get(id);
        return { denials: listDenials(assignment, getKnown(initiative), vault), initiative };
      },
      { concurrency: CONCURRENT_INITIATIVES },
    );

    const denials = found.flatMap((one) => one.denials);
    const unread = listUnread([read, ...found.map(({ initiative }) => initiative)]);
    if (denials.length === 0) return { denials, unread };

    const exemptions = await readPolicy('policyExemptions', vault.id, 'the policy exemptions of the vault', () =>
      policies.exemptions(vault, signal),
    );

    // Without the exemptions, each denial may be exempt.
    if ('unread' in exemptions) return { denials: [], unread: [...unread, exemptions.unread] };

    return { denials: denials.filter((one) => !isExempt(one, exemptions.value, now)), unread };
  };
}
