import pMap from 'p-map';
import type { AuditEntry } from '../../audit/record.ts';
import { type TrailReport, verifySince } from '../../audit/verify-trail.ts';
import { DRIFT_CONTAINER } from '../../azure/app-storage.ts';
import { withDeadline } from '../../azure/deadline.ts';
import { CONCURRENCY } from '../../azure/limits.ts';
import { getKnown, listUnread, type Part, readPart, type UnreadPart } from '../../azure/read-or-why.ts';
import type { SourceSubscriptions } from '../../events/event-grid-client.ts';
import type { OtherDependent } from '../../key-users/dependent.ts';
import type { GraphResource, ResourceGraph } from '../../key-users/resource-graph-client.ts';
import { createVaultUseQuery, listUsesOfVault } from '../../key-users/resource-graph-query.ts';
import type { ManagedVault } from '../../keys/managed-vaults.ts';
import { readUsageEvidence } from '../../retirement/evidence.ts';
import type { AppSubject, KeySubject, Rules } from '../checks/subjects.ts';
import type { DriftRun } from '../report/drift-run.ts';
import type { ManagedMemory } from '../report/managed-accounts.ts';
import type { KnownDrill, KnownRevocation, ReportBefore } from '../report/report.ts';
import { listPartsOfKeys } from './gather-keys.ts';
import { createContext, gatherSubscription, type SubscriptionResult } from './gather-subscription.ts';
import type { GatheredVault } from './gather-vaults.ts';
import { findLastDrills, parseDrillRecord } from './known-drills.ts';
import { findOpenRevocations, type KeyEvent, parseKeyRecord } from './known-revocations.ts';
import { evaluateOwnStorage } from './own-storage.ts';
import { type GatherServices, LIST_ACCOUNTS, PARTS } from './parts.ts';

/**
 * Maximum number of concurrent log queries. A workspace permits five per user (Azure Monitor, "service limits", user
 * query throttling).
 */
const CONCURRENT_QUERIES = 4;
/** Deadline of one log query. Milliseconds. */
const QUERY_MS = 30_000;
/** Deadline for reading the audit trail since the previous check. Milliseconds. */
const TRAIL_MS = 120_000;

/** Resource Graph permits 15 queries per five seconds for all clients together ("Guidance for throttled requests"). */
const CONCURRENT_GRAPH_QUERIES = 2;
const STORAGE = 'microsoft.storage/storageaccounts';
const STORAGE_RIGHTS = 'Microsoft.Storage/';
/** Maximum number of vaults read concurrently. */
const CONCURRENT_VAULTS = 4;

/** The state as far as the app could read it. */
export interface Gathered {
  /** The previous report. */
  readonly previous: ReportBefore | undefined;
  readonly vaults: readonly GatheredVault[];
  readonly keys: readonly KeySubject[];
  /** The revocations that no restore has ended. */
  readonly openRevocations: readonly KnownRevocation[];
  /** The last drill of each key. */
  readonly drills: readonly KnownDrill[];
  readonly subscriptions: readonly SubscriptionResult[];
  /**
   * The uses of accounts to store. Undefined if the stored uses could not be read, so that they are not overwritten.
   */
  readonly managedAccounts: ManagedMemory | undefined;
  readonly app: AppSubject;
  /** Undefined if it was not verified or could not be read. */
  readonly trail: TrailReport | undefined;
}

/** Reads the app's own state, the vaults, their keys, and every account. Never throws for a failed read. */
export async function gather({ signal }: DriftRun, rules: Rules, services: GatherServices): Promise<Gathered> {
  const own = await gatherApp(services);
  const previous = getKnown(own.previous);
  const { trail, events, drills: recorded } = await gatherTrail(services.auditWatch, previous?.trailEnd);
  const ids = await readPart(
    PARTS.subscriptions('/subscriptions'),
    async () => services.settings.subscriptions ?? (await services.subscriptions.list()),
  );
  const listed = getKnown(ids) ?? [];
  const context = await createContext({ signal, rules, services, previous, memory: getKnown(own.managedAccounts) });
  const { keys, tenants } = context;

  await pMap(services.settings.vaults.all, ({ uri }) => context.vaults.get(uri), { concurrency: CONCURRENT_VAULTS });

  const vaults = await context.vaults.all();
  const named = vaults.flatMap(({ subject, keys: names }) =>
    (getKnown(names) ?? []).map((name) => ({ uri: subject.vault.uri, name })),
  );

  await pMap(named, ({ uri, name }) => keys.get(uri, name), { concurrency: CONCURRENCY });

  // Reads other resources before the accounts. An account's finding of an expired key names the other users that the
  // expiry stops. A key that only accounts name, because no vault lists it, has no other users.
  const unreadOthers = await gatherOthers(await keys.all(), listed, { ...services, signal });
  const subscriptions = await pMap(listed, (id) => gatherSubscription(id, context), { concurrency: CONCURRENCY });

  const watches = await gatherWatches(listed, rules, services, signal);
  const keySubjects = await keys.all();
  const openRevocations = findOpenRevocations(previous?.openRevocations ?? [], events, keySubjects, rules.now);
  const drills = findLastDrills(previous?.drills ?? [], recorded);

  for (const subject of keySubjects) subject.lastDrill = drills.find(({ key }) => key === subject.key.id);

  // Unreadable identities do not matter: they use no other key.
  const lacksUsers = ({ unread }: SubscriptionResult) => unread.some(({ action }) => action.startsWith(STORAGE_RIGHTS));
  const incomplete = 'unread' in ids || subscriptions.some(lacksUsers);

  for (const { usage } of keySubjects) usage.incomplete = incomplete;

  if (rules.drift.usageWorkspace !== undefined) await gatherEvidence(keySubjects, services);

  const rollouts = await gatherRollouts(keySubjects, services.rollouts);
  const ownStorage = evaluateOwnStorage(context.ownStorage, subscriptions, keySubjects);

  const parts = [
    ...[...Object.values(own), trail, rollouts, ids, await context.vaults.undelivered()],
    // The tenants come from the same list, so report its failure once.
    ...('unread' in ids ? [] : [tenants]),
    ...listPartsOfKeys(keySubjects),
    ...watches.map(({ events }) => events),
  ];

  const found = [...vaults, ...subscriptions, ownStorage];
  const unread = [...listUnread(parts), ...found.flatMap((one) => one.unread), ...unreadOthers];
  const { functionAppId, problems } = rules.drift;

  return {
    previous,
    vaults,
    keys: keySubjects,
    openRevocations,
    drills,
    subscriptions,
    trail: getKnown(trail),
    managedAccounts: getKnown(own.managedAccounts) && context.memory.next(subscriptions.every(isWhole), rules.now),
    app: {
      name: functionAppId ?? 'cmk-autopilot',
      lockedOutBy: ownStorage.lockedOutBy,
      poison: own.poison,
      trail: getKnown(trail)?.findings ?? [],
      ...(previous || getKnown(trail) ? { drills } : {}),
      watches: watches.flatMap(({ subscription, events }) =>
        'value' in events ? { subscription, events: events.value } : [],
      ),
      settingsProblems: problems,
      unread: [...new Set(unread)],
    },
  };
}

/** State in the app's own storage. */
async function gatherApp({ driftStorage: storage }: GatherServices) {
  return {
    previous: await readPart(PARTS.previous(DRIFT_CONTAINER), () => storage.before()),
    poison: await readPart(PARTS.poison('poison queues'), () => storage.poisonMessages()),
    managedAccounts: await readPart(PARTS.managedAccounts(DRIFT_CONTAINER), () => storage.managedAccounts()),
  };
}

/**
 * Reads the event subscriptions that deliver Resource Manager's changes. A failed read is advice, because the hourly
 * check detects changes too.
 */
async function gatherWatches(
  subscriptions: readonly string[],
  { wantedWatches }: Rules,
  { eventGrid }: GatherServices,
  signal: AbortSignal | undefined,
): Promise<{ readonly subscription: string; readonly events: Part<SourceSubscriptions> }[]> {
  const read = async (subscription: string) => {
    const source = { id: `/subscriptions/${subscription}`, subscriptionId: subscription };
    return { subscription, events: await readPart(PARTS.watches(source.id), () => eventGrid.read(source, signal)) };
  };
  return pMap(wantedWatches.length > 0 ? subscriptions : [], read, { concurrency: CONCURRENCY });
}

async function gatherTrail(
  watch: GatherServices['auditWatch'],
  end: ReportBefore['trailEnd'],
): Promise<{
  readonly trail: Part<TrailReport> | undefined;
  readonly events: readonly KeyEvent[];
  readonly drills: readonly KnownDrill[];
}> {
  const events: KeyEvent[] = [];
  const drills: KnownDrill[] = [];
  if (!watch) return { trail: undefined, events, drills };

  const keep = (entry: AuditEntry): void => {
    const event = parseKeyRecord(entry);
    if (event) events.push(event);

    const drill = parseDrillRecord(entry);
    if (drill) drills.push(drill);
  };
  const trail = await readPart(PARTS.trail('cmk-audit'), () =>
    withDeadline(TRAIL_MS, 'The audit trail was not read', () => verifySince(watch.files, end, keep)),
  );

  return { trail, events, drills };
}

/** Reads from the vault's log which clients used each version of a key. Skips keys with one version. Never throws. */
async function gatherEvidence(keys: readonly KeySubject[], services: GatherServices): Promise<void> {
  await pMap(
    keys.filter(({ versions }) => (getKnown(versions) ?? []).length > 1),
    async (subject) => {
      subject.evidence = await readUsageEvidence(subject.key, services, QUERY_MS);
    },
    { concurrency: CONCURRENT_QUERIES },
  );
}

/**
 * Adds to each key the resources of other services that name it, with one query per vault. Ignores storage accounts of
 * managed subscriptions, because their provider returns newer data.
 *
 * @returns the failed reads
 */
export async function gatherOthers(
  keys: readonly KeySubject[],
  subscriptions: readonly string[],
  { resourceGraph, signal }: { readonly resourceGraph: ResourceGraph; readonly signal: AbortSignal | undefined },
): Promise<UnreadPart[]> {
  const searched = new Set(subscriptions.map((id) => id.toLowerCase()));
  const unread = await pMap(
    new Set(keys.map(({ key }) => key.vault)),
    async (vault) => {
      const subjects = keys.filter(({ key }) => key.vault === vault);
      const isOther = ({ type, subscriptionId }: GraphResource): boolean =>
        type !== STORAGE || !searched.has(subscriptionId.toLowerCase());
      const part = await readPart(PARTS.others(vault.id), () => readUsers(vault, isOther, resourceGraph, signal));
      if ('unread' in part) return [part.unread];
      for (const subject of subjects) subject.others = part.value.get(subject.key.name.toLowerCase()) ?? [];
      return [];
    },
    { concurrency: CONCURRENT_GRAPH_QUERIES },
  );

  return unread.flat();
}

/** @param isWanted rejects other rows immediately, because a fleet of accounts would fill the memory */
async function readUsers(
  vault: ManagedVault,
  isWanted: (row: GraphResource) => boolean,
  graph: ResourceGraph,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, OtherDependent[]>> {
  const found = new Map<string, OtherDependent[]>();

  for await (const row of graph.query(createVaultUseQuery(vault), signal)) {
    if (!isWanted(row)) continue;
    for (const [name, user] of listUsesOfVault(row, vault)) found.set(name, [...(found.get(name) ?? []), user]);
  }

  return found;
}

/** Adds to each key the progress of its rotation. */
async function gatherRollouts(
  keys: readonly KeySubject[],
  rollouts: GatherServices['rollouts'],
): Promise<Part<void> | undefined> {
  if (!rollouts) return undefined;
  const byKey = new Map(keys.map((subject) => [subject.key.id.toLowerCase(), subject]));

  return readPart(PARTS.rollouts('cmkcontrol'), async () => {
    for await (const { name, row } of rollouts.all()) {
      const subject = byKey.get(name.toLowerCase());
      if (subject) subject.rollout = row;
    }
  });
}

/** Whether every account of the subscription was listed. */
function isWhole({ unread }: SubscriptionResult): boolean {
  return unread.every(({ action }) => action !== LIST_ACCOUNTS);
}
