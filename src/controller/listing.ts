import type { LimitFunction } from 'p-limit';
import pMap from 'p-map';
import type { Account, Scope } from '../accounts/account.ts';
import { readUnlessMissing } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { DAY_MS, hasBeenSince } from '../formats/spans.ts';
import { compareText } from '../formats/text.ts';
import { type FleetAccount, listKeysOfAccount } from '../index/fleet-index.ts';
import { formatAccountRow, parseAccountId } from '../index/fleet-keys.ts';
import { getVersionOfRow, type UseRow } from '../index/use-row.ts';
import { isAboutAccount } from '../index/work-items.ts';
import { listSourceKeys } from './key-states.ts';
import type { Lanes } from './lane.ts';
import { refreshRow, toUseRowOf } from './observe.ts';
import type { PassLimits } from './pass-limits.ts';
import type { PassResults } from './pass-results.ts';
import type { Announcement } from './pass-state.ts';
import type { PassTime } from './pass-time.ts';
import { getWaveOfTags, toUseOfAccount, toUseOfScope } from './read-use.ts';
import { createTask, type PassItem } from './task.ts';
import type { FleetServices } from './worker-ports.ts';

/** Concurrent scope lists of a pass in a region: Azure allows 100 lists in five minutes. */
const SCOPES_CONCURRENCY = 2;
/** Number of accounts that each later pass starts further on: fewer than the budget of lists admits in a region. */
const SCOPES_PER_PASS = 64;
/** Maximum number of a region's accounts whose scopes a pass lists: more than the budget of lists admits. */
const MOST_ACCOUNTS = 100;
/** Shortest time between two lists of an account's scopes, however many of them change. Milliseconds. */
const SCOPES_AGAIN_MS = 60_000;

interface ListingPass {
  readonly subscription: string;
  readonly results: PassResults;
  readonly limits: PassLimits;
  readonly time: PassTime;
  readonly lanes: Lanes;
  /** What dead workers announced. */
  readonly announced: readonly Announcement[];
  readonly rowReads: LimitFunction;
}

type ListingPorts = Pick<FleetServices, 'accounts' | 'fleet' | 'rows' | 'vaults' | 'states' | 'capacity' | 'now'>;

/** The row that a list or a read shows; undefined if the use has no key in Key Vault, or an invalid key name. */
type SeenRow = UseRow | undefined;

/**
 * Compares a subscription's accounts and encryption scopes with the index, and records new and deleted uses. Only a
 * read changes an existing row's version, since the row may be the only evidence of an unrecorded move. The index also
 * holds uses of unmanaged keys, as the list returns them.
 */
export class Listing {
  readonly #pass: ListingPass;
  readonly #ports: ListingPorts;
  /** Index rows by account. */
  readonly #known = new Map<string, UseRow[]>();
  /** Reads of the index by key. Reads each key once, since only this pass changes its rows. */
  readonly #reads = new Map<string, Promise<void>>();
  /** Accounts whose rows are read; undefined: all. */
  #only: ReadonlySet<string> | undefined;
  /** Number of reads that this listing has requested. */
  #requested = 0;

  constructor(pass: ListingPass, ports: ListingPorts) {
    this.#pass = pass;
    this.#ports = ports;
  }

  /** Lists the accounts. Also reads the encryption scopes that a dead worker may have moved. */
  async list(started: PassItem): Promise<void> {
    const { accounts, fleet, now } = this.#ports;
    const { subscription, limits, results, time } = this.#pass;
    const targets = started.item.kind === 'verify' ? this.#pass.announced : [];
    const announced = targets.flatMap((one) => Object.keys(one.targets)).flatMap((key) => this.#withSources(key));
    const records = new Map<string, FleetAccount>();

    for await (const record of fleet.accounts(subscription)) records.set(formatAccountRow(record.account), record);

    // No account row names the key of a row that a worker wrote right before it died.
    const named = [...records.values()].flatMap(listKeysOfAccount);
    await this.#load([...announced, ...named, ...results.keysOfGone]);

    const seen = new Set<string>();
    let areScopesDue = false;

    // A list has no region. Under a name that all subscriptions share, one failing list would block the others.
    const listed = await limits.call(subscription, { lists: 1 }, started, async () => {
      const startedOn = now();
      try {
        for await (const account of accounts.list(subscription, time.reads)) {
          if (results.isGone(account.id)) continue;

          seen.add(formatAccountRow(account.id));

          const record = records.get(formatAccountRow(account.id));
          await this.#compareAccount(account, startedOn, record, started);

          // At the first such account: without this item, readers of the index assume that all scopes were listed.
          if (!areScopesDue && this.#areScopesDue(record)) results.requestScopes();

          areScopesDue ||= this.#areScopesDue(record);

          // Azure lists faster than the pass writes, so unlimited results would fill the memory.
          await results.applyBackpressure();
        }
      } finally {
        // A running scope listing lacks later accounts, so request another even after an error.
        if (areScopesDue) results.requestScopes();
      }

      return startedOn;
    });
    if (!listed) return;

    const known = new Map([...records].map(([name, { account }]) => [name, account]));
    const inFlightUntilMs = Date.parse(started.item.cause.since);
    const isAnnounced = ({ key, scope }: UseRow) => scope !== undefined && announced.includes(key);
    const isUnread = (row: UseRow) => isAnnounced(row) && !hasBeenSince(row.readOn, inFlightUntilMs, now());

    for (const [name, rows] of this.#known) {
      known.set(name, rows[0]?.account ?? '');
      if (!seen.has(name)) continue;

      for (const row of rows.filter(isUnread)) {
        this.#read(row, started);
      }
    }

    // A list may be outdated: only a GET confirms a deletion.
    const missing = [...known].filter(([name]) => !seen.has(name));
    await this.#readAccounts(missing, records, started);

    results.listed(listed.answer);
  }

  /** Reads each account, even after an error. @throws the first error */
  async #readAccounts(
    named: readonly (readonly [name: string, account: string])[],
    records: ReadonlyMap<string, FleetAccount>,
    started: PassItem,
  ): Promise<void> {
    try {
      await pMap(named, ([name, account]) => this.#readAccount(account, records.get(name), started), {
        concurrency: CONCURRENCY,
        stopOnError: false,
      });
    } catch (error) {
      throw error instanceof AggregateError ? error.errors[0] : error;
    }
  }

  async account(started: PassItem): Promise<void> {
    const { about } = started.item;
    await this.#readAccount(about, await this.#ports.fleet.account(about), started);
  }

  /** Lists the encryption scopes of one account, of which some are new or have changed. */
  async accountScopes(started: PassItem): Promise<void> {
    const { about, since } = started.item;
    const record = await this.#ports.fleet.account(about);
    if (!record) {
      await this.#readAccount(about, undefined, started);
      return;
    }

    const { scopesReadOn } = record;
    const now = this.#ports.now();
    if (hasBeenSince(scopesReadOn, since.getTime(), now)) return;

    if (scopesReadOn && hasBeenSince(scopesReadOn, now.getTime() - SCOPES_AGAIN_MS, now)) {
      const again = new Date(Date.parse(scopesReadOn) + SCOPES_AGAIN_MS);
      started.postpone(again, 'ScopesNotListed');
      return;
    }

    await this.#listScopes(record, started);
  }

  /** Lists the encryption scopes of all due accounts, within the rate limits. */
  async scopes(started: PassItem): Promise<void> {
    const regions = await this.#dueAccounts(started);
    this.#only = new Set(regions.flat().map(({ account }) => formatAccountRow(account)));

    // A slow region delays no other region.
    await Promise.all(
      regions.map(async (accounts) => {
        let isAdmitted = true;
        await pMap(
          accounts,
          async (account) => {
            if (isAdmitted && !(await this.#listScopes(account, started))) isAdmitted = false;
          },
          { concurrency: SCOPES_CONCURRENCY },
        );
      }),
    );
  }

  /** Returns a limited number of due accounts per region, since the pass holds their index rows. */
  async #dueAccounts(started: PassItem): Promise<readonly (readonly FleetAccount[])[]> {
    const due: FleetAccount[] = [];

    // Only a scope list that began after a re-key order verifies the order.
    const { fresh = false, since } = started.item;
    const isOlder = ({ scopesReadOn = '' }: FleetAccount) => fresh && scopesReadOn < since.toISOString();

    for await (const account of this.#ports.fleet.accounts(this.#pass.subscription)) {
      if (this.#areScopesDue(account) || isOlder(account)) due.push(account);
    }

    // The first pass starts with accounts whose scopes were never listed.
    due.sort((a, b) => compareText(a.scopesReadOn ?? '', b.scopesReadOn ?? ''));

    // Each later pass starts further on, so that accounts whose lists fail do not use up the budget.
    const start = due.length === 0 ? 0 : (SCOPES_PER_PASS * started.item.attempts) % due.length;
    const ordered = [...due.slice(start), ...due.slice(0, start)];

    const regions = Map.groupBy(ordered, ({ location }) => location.toLowerCase());

    return [...regions.values()].map((all) => all.slice(0, MOST_ACCOUNTS));
  }

  /** @returns false if the rate limits allow no more lists in the region now */
  async #listScopes(record: FleetAccount, started: PassItem): Promise<boolean> {
    const { account, location } = record;
    try {
      const startedOn = this.#ports.now();
      const read = () => this.#ports.capacity.scopeLists(() => this.#readScopes(account));

      // The lists of all accounts, which take hours, must not use up the budget of one whose scopes changed.
      const purpose = isAboutAccount(started.item) ? undefined : 'scopes';
      const listed = await this.#pass.limits.call(location, { lists: 1, purpose }, started, read);
      if (!listed) return false;
      if (listed.answer) await this.#compareScopes(record, listed.answer, startedOn, started);
      else await this.#readAccount(account, record, started);
    } catch (error) {
      this.#pass.limits.failItem(started, error);
    }

    return true;
  }

  /** Returns undefined if the account is deleted. */
  #readScopes(account: string): Promise<readonly Scope[] | undefined> {
    const { reads } = this.#pass.time;
    return readUnlessMissing(() => Array.fromAsync(this.#ports.accounts.listScopes(parseAccountId(account), reads)));
  }

  async #compareScopes(
    record: FleetAccount,
    scopes: readonly Scope[],
    startedOn: Date,
    started: PassItem,
  ): Promise<void> {
    const { account, location, tags = {} } = record;
    const wave = getWaveOfTags(tags);
    const all = scopes.flatMap(
      (scope) => toUseRowOf(toUseOfScope(scope, { account, location, scope: scope.name, wave }, startedOn)) ?? [],
    );
    const scopeKeys = [...new Set(all.map(({ key }) => key))];
    const rows = await this.#rowsOf(account, [...listKeysOfAccount(record), ...scopeKeys]);

    if (!this.#pass.results.isNewestScopeList(account, startedOn)) return;

    const identity = rows.find(({ scope }) => scope === undefined)?.identity;
    const ofScopes = Map.groupBy(rows, ({ scope }) => scope?.toLowerCase());
    const requested = this.#requested;

    for (const seen of all) {
      const name = seen.scope?.toLowerCase();
      this.#compareUse(ofScopes.get(name) ?? [], seen, { ...seen, identity }, started);
      ofScopes.delete(name);
    }

    for (const row of [...ofScopes.values()].flat()) {
      if (row.scope !== undefined) this.#read(row, started);
    }

    // Set only if the index equals the list. Otherwise, the pass may end before it reads the scopes.
    const read = this.#requested === requested ? { scopesReadOn: startedOn.toISOString() } : {};

    this.#pass.results.change({ account, ...read, scopeKeys, formerScopeKeys: record.scopeKeys });
  }

  /**
   * Reads an account. If Azure does not find it, a list drops all of its rows; any other item requests a list, since the
   * account may have moved to another resource group.
   */
  async #readAccount(account: string, record: FleetAccount | undefined, started: PassItem): Promise<void> {
    const { accounts, now } = this.#ports;
    const region = record?.location ?? this.#pass.subscription;

    // Accounts that a list lacks must not use up the region's reads.
    const purpose = isAboutAccount(started.item) ? undefined : 'retry';
    const read = await this.#pass.limits.call(region, { reads: 1, purpose }, started, async () => ({
      startedOn: now(),
      found: await readUnlessMissing(() => accounts.get(parseAccountId(account), this.#pass.time.reads)),
    }));
    if (!read) return;

    const { startedOn, found } = read.answer;
    if (found) {
      await this.#compareAccount(found, startedOn, record, started);

      const isOfScopes = started.item.kind === 'scopes' && !isAboutAccount(started.item);
      if (!isOfScopes && this.#areScopesDue(record)) this.#pass.results.requestScopes();
      return;
    }

    const keys = record ? listKeysOfAccount(record) : [];
    const isOfList = started.item.kind === 'list' || started.item.kind === 'verify';
    if (!isOfList && keys.length > 0) {
      this.#pass.results.requestList(account, keys);
      return;
    }

    const rows = await this.#rowsOf(account, keys);

    for (const row of this.#pass.results.dropAccount(account, rows)) this.#progress(row, started);

    if (!record) return;

    const { scopeKeys: formerScopeKeys } = record;

    this.#pass.results.change({ account: record.account, isGone: true, formerScopeKeys });
  }

  async #compareAccount(
    account: Account,
    startedOn: Date,
    record: FleetAccount | undefined,
    started: PassItem,
  ): Promise<void> {
    const { id, location, tags } = account;
    const { results } = this.#pass;
    const read = toUseOfAccount(account, startedOn);
    const seen = toUseRowOf(read);
    const keys = [...(seen ? [seen.key] : []), ...(record ? listKeysOfAccount(record) : [])];
    const ofAccount = Map.groupBy(await this.#rowsOf(id, keys), ({ scope }) => scope === undefined);

    this.#compareUse(ofAccount.get(true) ?? [], read.about, seen, started);

    // A scope has the location, identity and wave of its account.
    for (const row of ofAccount.get(false) ?? []) {
      results.keep({ ...(results.find(row) ?? row), ...read.about }, started);
    }

    results.change({ account: id, location, tags, key: seen?.key ?? '', writtenOn: startedOn.toISOString() });
  }

  /** Drops the row under the other key: a worker that died during a re-key may have written a row for each key. */
  #compareUse(rows: readonly UseRow[], use: Pick<UseRow, 'account' | 'scope'>, seen: SeenRow, started: PassItem): void {
    const row = rows.find((one) => one.key === seen?.key) ?? rows[0];
    const known = this.#pass.results.find(row ?? use) ?? row;

    // The account may have moved to another resource group since.
    this.#compare(known && { ...known, account: use.account }, seen, started);

    for (const one of rows) {
      if (one !== row) this.#pass.results.drop(one);
    }
  }

  /** Compares a use from Azure with its row, and adds a new use to the index. */
  #compare(known: UseRow | undefined, seen: SeenRow, started: PassItem): void {
    const { results } = this.#pass;
    const isSameKey = known && seen?.key === known.key;
    const isSame = isSameKey && getVersionOfRow(seen) === getVersionOfRow(known);

    // Only a read shows who changed the version: the app may have moved the use since the list began, or before a crash.
    if (known && (!isSame || known.movedFrom !== undefined) && this.#ports.vaults.key(known.key)) {
      this.#read(known, started);
      return;
    }

    if (known && !isSameKey) results.drop(known);
    if (!seen) return;

    // `reconcileKey` decides on the stage with this row, and puts the work item for its move.
    if (!isSameKey) this.#progress(seen, started);

    results.keep(isSame ? refreshRow(known, seen) : seen, started);
  }

  /** Requests a read of a use if a list and the index differ. */
  #read(row: UseRow, started: PassItem): void {
    const key = this.#ports.vaults.key(row.key);
    this.#requested += 1;
    if (!key) {
      this.#pass.results.drop(row);
      return;
    }

    const isRekey = this.#ports.states.known(key).order?.covers(row) === true;
    this.#pass.lanes.add(createTask(row, key, started, true, isRekey));
  }

  #progress({ key: id }: UseRow, { item }: PassItem): void {
    const key = this.#ports.vaults.key(id);
    if (key) this.#pass.results.progress(key, item.cause);
  }

  /** Workers list an account's scopes once a day. */
  #areScopesDue(record: FleetAccount | undefined): boolean {
    const now = this.#ports.now();
    return !hasBeenSince(record?.scopesReadOn, now.getTime() - DAY_MS, now);
  }

  async #rowsOf(account: string, keys: readonly string[]): Promise<readonly UseRow[]> {
    await this.#load(keys);
    return this.#known.get(formatAccountRow(account)) ?? [];
  }

  /** Reads the rows of these keys. */
  async #load(keys: readonly string[]): Promise<void> {
    // After an order moves a use, the use's row stays under the source key until a read.
    const all = new Set(keys.flatMap((key) => this.#withSources(key)));
    await Promise.all([...all].map((key) => this.#loadOnce(key)));
  }

  #withSources(key: string): readonly string[] {
    return [key, ...listSourceKeys(this.#ports.states.orders?.value, key)];
  }

  #loadOnce(key: string): Promise<void> {
    const reading = this.#reads.get(key) ?? this.#pass.rowReads(() => this.#readRows(key));
    this.#reads.set(key, reading);
    return reading;
  }

  async #readRows(key: string): Promise<void> {
    for await (const row of this.#ports.rows.of(key, this.#pass.subscription)) {
      const account = formatAccountRow(row.account);
      if (this.#only?.has(account) === false) continue;
      const rows = this.#known.get(account) ?? [];
      rows.push(row);
      this.#known.set(account, rows);
    }
  }
}
