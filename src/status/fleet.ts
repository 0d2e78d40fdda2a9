import { setImmediate } from 'node:timers/promises';
import type { Account } from '../accounts/account.ts';
import { toKeyUse } from '../accounts/key-use.ts';
import { type PartTaken, ReadCache } from '../azure/read-cache.ts';
import { formatScopeId, parseResourceId, splitScope } from '../azure/resource-id.ts';
import { ACCOUNT_CHECKS, KEY_CHECKS } from '../drift/checks/checks.ts';
import { createCauseId, createFindingId, evaluate } from '../drift/checks/evaluate.ts';
import { KeyUsage } from '../drift/checks/key-usage.ts';
import type { AccountSubject, KeySubject, Rules } from '../drift/checks/subjects.ts';
import { listUnreadOfIdentity } from '../drift/gather/gather-identities.ts';
import { createRules } from '../drift/gather/rules.ts';
import { listUnreadOfAccess } from '../drift/gather/vault-roles.ts';
import type { Finding } from '../drift/report/report.ts';
import { compareText } from '../formats/text.ts';
import { runOrUnavailable } from '../http/problem.ts';
import { type FleetAccount, listKeysOfAccount } from '../index/fleet-index.ts';
import { formatAccountRow } from '../index/fleet-keys.ts';
import type { UseRow } from '../index/use-row.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';
import { findNewestUsableVersion, findVersion, getActiveFrom, type KeyVersion } from '../keys/key-versions.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';
import { formatCauseLabel } from '../keys/resource-label.ts';
import { getVersionInUse } from '../keys/version-in-use.ts';
import type { AccountEffect } from '../probe/effect.ts';
import { isCurrent } from '../probe/effect-of-key.ts';
import { openRevocation } from '../revocation/revocation.ts';
import type { Settings } from '../settings/settings.ts';
import type { AccountView } from './fleet-schemas.ts';
import { determineHealth, type Health, type HealthFinding } from './health.ts';
import { type FleetPorts, type FleetReading, type KeyReading, readFleet } from './read-fleet.ts';
import { getLastTry } from './rotation-progress.ts';

/** An account with its health, as the API shows it. */
export interface EvaluatedAccount {
  readonly view: AccountView;
  /** Identifiers of the keys of the account and its scopes, without a version. */
  readonly keys: readonly string[];
}

/** Checks that the index and key versions decide. The app evaluates them again, since the report may be an hour old. */
const ANEW: ReadonlySet<string> = new Set([
  'StaleKeyVersion',
  'ScopeStaleKeyVersion',
  'LaggingAutomaticVersion',
  'KeyDisabled',
  'KeyDeleted',
  'UnmanagedVault',
  'RevocationOpen',
]);
const ACCOUNT_ANEW = ACCOUNT_CHECKS.filter(({ reason }) => ANEW.has(reason));
/** Findings on a key that stop its users. */
const KEY_STOPS: ReadonlySet<string> = new Set(['RevocationOpen', 'KeyOperationsMissing']);
const KEY_ANEW = KEY_CHECKS.filter(({ reason }) => KEY_STOPS.has(reason));
/** Findings about failed reads, which do not change the account's data in the index. */
const READS: ReadonlySet<string> = new Set(['Unreadable', 'MissingPermission']);
/** Findings that no longer apply once the account uses a key. */
const WITHOUT_KEY: ReadonlySet<string> = new Set(['NotCustomerManaged', 'NoLongerCustomerManaged']);

/** Accounts between two yields to the event loop, so the evaluation does not delay a revocation. */
const AT_ONCE = 200;

/** Evaluates the health of each account. @returns accounts sorted by name */
export async function evaluateFleet(reading: FleetReading, settings: Settings): Promise<EvaluatedAccount[]> {
  const evaluator = new FleetEvaluator(reading, settings);
  const evaluated: EvaluatedAccount[] = [];
  for (const [n, known] of reading.accounts.entries()) {
    if (n % AT_ONCE === 0) await setImmediate();
    const one = evaluator.account(known);
    if (one) evaluated.push(one);
  }
  return evaluated.sort((a, b) => compareText(getSortKey(a), getSortKey(b)));
}

/** Sort key of lists, and start position of a page. */
export function getSortKey({ view }: Pick<EvaluatedAccount, 'view'>): string {
  return `${view.name.toLowerCase()}|${view.subscription}`;
}

class FleetEvaluator {
  readonly #reading: FleetReading;
  readonly #rules: Rules;
  readonly #uses: ReadonlyMap<string, UseRow>;
  /** Uses of scopes by the account's row key. */
  readonly #scopeUses: ReadonlyMap<string, readonly UseRow[]>;
  /** Findings of the last check by account, vault, key or identity, in lower case. */
  readonly #findings: ReadonlyMap<string, readonly Finding[]>;
  readonly #subjects = new Map<string, KeySubject>();
  readonly #probes = new Map<string, AccountEffect>();

  constructor(reading: FleetReading, settings: Settings) {
    this.#reading = reading;
    this.#rules = createRules(settings, reading.readOn);
    this.#uses = new Map(reading.uses.map((use) => [useId(use), use]));

    const ofScopes = reading.uses.filter(({ scope }) => scope !== undefined);

    this.#scopeUses = Map.groupBy(ofScopes, ({ account }) => formatAccountRow(account));
    this.#findings = Map.groupBy(reading.findings, ({ resource }) => splitScope(resource).account.toLowerCase());

    for (const [id, { key, versions, effect }] of reading.keys) {
      this.#subjects.set(id, keySubject(key, versions));
      if (effect && versions && !isCurrent(effect, openRevocation(versions, reading.readOn))) continue;

      for (const one of effect?.accounts ?? []) {
        this.#probes.set(`${id} ${one.account.toLowerCase()}`, one);
      }
    }
  }

  account(known: FleetAccount): EvaluatedAccount | undefined {
    const id = parseResourceId(known.account);
    if (!id) return undefined;

    const account: Account = { ...id, location: known.location, tags: known.tags ?? {}, ...NOT_KNOWN };
    const use = known.key === undefined ? undefined : this.#uses.get(useId({ account: known.account, key: known.key }));
    const scopeUses = this.#scopeUses.get(formatAccountRow(known.account)) ?? [];
    const findings = this.#findingsOn(account.id);
    const all = [...(use ? [use] : []), ...scopeUses];
    const probe = use && this.#probes.get(`${use.key.toLowerCase()} ${account.id.toLowerCase()}`);
    const { lastChecked, counts } = checkCoverage(account, known.key, findings, this.#reading);
    const keys = listKeysOfAccount(known);
    const isManaged = (key: string): boolean => this.#reading.keys.has(key.toLowerCase());
    const used = new Set(all.map(({ key }) => key.toLowerCase()));
    const identities = [...new Set(all.map(({ identity }) => identity))];
    const vault = keys.some(isManaged) ? 'managedVault' : 'otherVault';
    const health = determineHealth(
      {
        encryptedBy: keys.length === 0 ? 'microsoft' : vault,
        findings: [
          ...this.#anew(account, use, scopeUses, findings),
          ...keys.flatMap((key) => this.#ofKey(key)),
          ...this.#reported(findings, known),
          ...identities.flatMap((identity) => this.#findingsOnIdentity(identity)),
          ...this.#met(all),
        ],
        // The check does not cover a use that the index lacks.
        checkedOn:
          counts && keys.every((key) => !isManaged(key) || used.has(key.toLowerCase())) ? lastChecked : undefined,
        probe,
      },
      this.#reading.readOn,
    );

    const listedOn = this.#reading.listings.get(account.subscriptionId)?.toISOString() ?? '';
    const lastRead = [known.writtenOn, listedOn, ...all.map(({ readOn }) => readOn)].sort().at(-1) ?? known.writtenOn;
    const view = {
      name: account.name,
      id: account.id,
      subscription: account.subscriptionId,
      resourceGroup: account.resourceGroup,
      region: account.location,
      tags: { ...account.tags },
      ...keyOf(known.key),
      ...versionOf(use),
      scopes: known.scopesReadOn === undefined ? undefined : scopeUses.length,
      health: shownHealth(health),
      probe: probe && { state: probe.state, since: probe.since, checkedOn: probe.checkedOn },
      lastRead,
      lastChecked: lastChecked?.toISOString(),
      pinned: use?.pinned,
      current: use?.current,
      identity: use?.identity,
      lastTry: use && getLastTry(use),
      scopeUses: scopeUses.map((of) => ({
        scope: of.scope ?? '',
        ...keyOf(of.key),
        ...versionOf(of),
        lastTry: getLastTry(of),
      })),
      findings: [...findings],
    };

    return { view, keys };
  }

  /** Runs the checks of `ANEW` with the current index and keys. */
  #anew(
    account: Account,
    use: UseRow | undefined,
    scopeUses: readonly UseRow[],
    reported: readonly Finding[],
  ): HealthFinding[] {
    const subject: AccountSubject = {
      account,
      own: false,
      resource: account.id,
      access: undefined,
      use: use && toKeyUse(use),
      key: use && this.#subjects.get(use.key.toLowerCase()),
      scopes: scopeUses.map((of) => ({
        resource: formatScopeId(account.id, of.scope ?? ''),
        use: toKeyUse(of),
        key: this.#subjects.get(of.key.toLowerCase()),
        access: undefined,
        lost: this.#isLost(of),
      })),
      lost: use !== undefined && this.#isLost(use),
    };

    const found = evaluate(ACCOUNT_ANEW, subject, account.id, this.#rules);

    // The check may know a cause that the index does not show.
    const causeOf = ({ id, cause }: Omit<Finding, 'since'>) => reported.find((one) => one.id === id)?.cause ?? cause;

    return found.map((finding) => ({ ...finding, cause: causeOf(finding), since: this.#since(finding) }));
  }

  /**
   * Whether the key lacks the version in use. The app reads versions after the index, so a new version cannot seem
   * lost.
   */
  #isLost(use: UseRow): boolean {
    const { versions = [] } = this.#reading.keys.get(use.key.toLowerCase()) ?? {};
    const version = getVersionInUse(toKeyUse(use));
    return versions.length > 0 && version !== undefined && !findVersion(versions, version);
  }

  #ofKey(id: string): HealthFinding[] {
    const subject = this.#subjects.get(id.toLowerCase());
    if (!subject) return [];
    if ('value' in subject.versions) {
      const found = evaluate(KEY_ANEW, subject, subject.key.id, this.#rules);
      return found.map((one) => ({ ...one, since: this.#since(one) }));
    }
    const about = [subject.key.id];
    const cause = { id: createCauseId('VaultUnreadable', about), reason: 'VaultUnreadable', about };
    return [{ reason: 'VaultUnreadable', severity: 'error', cause }];
  }

  #since(found: Omit<Finding, 'since'>): string | undefined {
    const { versions = [] } = this.#reading.keys.get((found.cause.about[0] ?? '').toLowerCase()) ?? {};
    return findSince(found, versions, this.#findingsOn(found.resource), this.#rules.now);
  }

  /**
   * Findings of the last check about the account, its vaults and its keys, without the findings that are evaluated
   * again.
   */
  #reported(own: readonly Finding[], known: FleetAccount): readonly Finding[] {
    const keys = listKeysOfAccount(known).flatMap((id) => this.#reading.keys.get(id.toLowerCase()) ?? []);
    const isUnread = keys.some(({ versions }) => versions === undefined);
    const holds = ({ reason }: Finding): boolean =>
      (isUnread || !ANEW.has(reason)) && !(known.key !== undefined && WITHOUT_KEY.has(reason)) && !READS.has(reason);
    const vaults = new Set(keys.map((one) => one.key.vault));

    return [
      ...own.filter(holds),
      ...[...vaults].flatMap((vault) => this.#findingsOnVault(vault)),
      ...keys
        .flatMap((one) => this.#findingsOn(one.key.id))
        .filter(({ reason }) => KEY_STOPS.has(reason))
        .filter(holds),
    ];
  }

  /** Findings of the last check on a resource. Findings on an account include its scopes. */
  #findingsOn(resource: string): readonly Finding[] {
    return this.#findings.get(splitScope(resource).account.toLowerCase()) ?? [];
  }

  /** Of the failed reads of a vault, only those that hide whether its keys are usable. */
  #findingsOnVault(vault: ManagedVault): Finding[] {
    const open = new Set(listUnreadOfAccess(vault).map((one) => createFindingId('Unreadable', vault.id, one)));
    return this.#findingsOn(vault.id).filter(({ id, reason }) =>
      reason === 'Unreadable' ? open.has(id) : reason !== 'MissingPermission',
    );
  }

  /** Failed reads of an identity, which may have been deleted. */
  #findingsOnIdentity(identity: string | undefined): Finding[] {
    return listUnreadOfIdentity(identity).flatMap(({ resource, what }) => {
      const open = createFindingId('Unreadable', resource, what);
      return this.#findingsOn(resource).filter(({ id }) => id === open);
    });
  }

  /** Findings from failed moves since the last check. */
  #met(uses: readonly UseRow[]): HealthFinding[] {
    const { report, keys } = this.#reading;

    return uses.flatMap((use): HealthFinding[] => {
      const { identity, account, key } = use;
      const lastTry = getLastTry(use);
      if (lastTry?.reason !== 'IdentityHasNoAccess') return [];
      if (report && Date.parse(lastTry.at) < Date.parse(report.startedOn)) return [];
      const about = [identity ?? account, keys.get(key.toLowerCase())?.key.vault.id ?? key];
      const { reason } = lastTry;
      return [
        { reason, severity: 'error', cause: { id: createCauseId(reason, about), reason, about }, since: lastTry.at },
      ];
    });
  }
}

/**
 * Start time of a finding (ISO 8601), from the versions of the key that causes it, if they show it. Otherwise the time
 * when a check first found it, if the newest check found it with the same cause. Undefined if unknown.
 */
export function findSince(
  { id, reason, cause }: Omit<Finding, 'since'>,
  versions: readonly KeyVersion[],
  reported: readonly Finding[],
  now: Date,
): string | undefined {
  if (cause.reason === 'RevocationOpen') return openRevocation(versions, now)?.revokedOn.toISOString();

  if (/^(Scope)?StaleKeyVersion$|^LaggingAutomatic/.test(reason)) {
    const target = findNewestUsableVersion(versions, now);
    return target && getActiveFrom(target).toISOString();
  }

  return reported.find((before) => before.id === id && before.cause.id === cause.id)?.since;
}

function shownHealth({ state, cause, since }: Health): AccountView['health'] {
  return { state, cause: cause && { ...cause, about: [...cause.about], label: formatCauseLabel(cause) }, since };
}

function keyOf(key: string | undefined): Pick<AccountView, 'key' | 'vault'> {
  const parsed = key === undefined ? undefined : parseKeyIdentifier(key);
  return parsed ? { key, vault: parsed.vaultName } : {};
}

function versionOf(use: UseRow | undefined): Pick<AccountView, 'version' | 'mode'> {
  return use ? { mode: use.mode, version: getVersionInUse(use) } : {};
}

/** Properties that the index does not store and the checks of `ANEW` do not use. */
const NOT_KNOWN = { userAssignedIdentities: [], principalIds: {}, systemPrincipalId: undefined, encryption: {} };

function keySubject(key: KeyReading['key'], versions: KeyReading['versions']): KeySubject {
  const unread = { resource: key.id, what: 'the key', detail: '', kind: 'unexpected', action: '' } as const;
  return {
    key,
    state: versions?.length === 0 ? 'gone' : 'present',
    versions: versions ? { value: versions } : { unread },
    policy: { unread },
    material: { unread },
    usage: new KeyUsage(),
  };
}

function useId({ account, scope, key }: Pick<UseRow, 'account' | 'scope' | 'key'>): string {
  return `${formatAccountRow(account, scope)} ${key.toLowerCase()}`;
}

/**
 * Returns the start of the last drift check that found the account with its current key, and whether the newest report
 * has all findings about the account.
 *
 * @param findings findings of the newest report about the account
 */
export function checkCoverage(
  account: Account,
  key: string | undefined,
  findings: readonly Finding[],
  { report, lastSeen }: Pick<FleetReading, 'report' | 'lastSeen'>,
): { readonly lastChecked: Date | undefined; readonly counts: boolean } {
  if (!report) return { lastChecked: undefined, counts: false };

  const startedOn = new Date(report.startedOn);
  if (findings.length > 0) return { lastChecked: startedOn, counts: true };

  const isCovered = report.coverage.subscriptions.some(
    ({ id, complete }) => complete && id.toLowerCase() === account.subscriptionId,
  );

  // `lastSeen` has only accounts that use a key themselves.
  if (key === undefined) return { lastChecked: isCovered ? startedOn : undefined, counts: isCovered };

  const seen = lastSeen.get(account.name.toLowerCase());
  if (seen?.key.toLowerCase() !== key.toLowerCase()) return { lastChecked: undefined, counts: false };

  return { lastChecked: seen.lastSeen, counts: isCovered || seen.lastSeen >= startedOn };
}

/** Time to live in milliseconds: concurrent calls, and the pages of a list, share a read. */
const TTL_MS = 15_000;

export interface FleetSnapshot extends Pick<FleetReading, 'readOn' | 'listings' | 'unlisted' | 'report' | 'warnings'> {
  readonly accounts: readonly EvaluatedAccount[];
}

/** Cache of the fleet, because reading five thousand accounts takes seconds. */
export class FleetSnapshots {
  readonly #cache = new ReadCache<FleetSnapshot>(TTL_MS);

  /** @throws {@link HttpProblem} 503 */
  async get(ports: FleetPorts): Promise<FleetSnapshot> {
    return (await this.#cache.read('', () => takeSnapshot(ports), ports.now)).value;
  }

  take(ports: FleetPorts, waitMs: number): Promise<PartTaken<FleetSnapshot>> {
    return this.#cache.take('', () => takeSnapshot(ports), waitMs, ports.now);
  }
}

async function takeSnapshot(ports: FleetPorts): Promise<FleetSnapshot> {
  const reading = await runOrUnavailable(
    () => readFleet(ports),
    (why) => `The app could not read the fleet index: ${why} It still moves accounts.`,
  );
  const { readOn, listings, unlisted, report, warnings } = reading;
  return { readOn, accounts: await evaluateFleet(reading, ports.settings), listings, unlisted, report, warnings };
}
