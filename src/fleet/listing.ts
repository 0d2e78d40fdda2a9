import pMap from 'p-map';
import { describeFailure, unlessMissing } from '../azure/failure.ts';
import type { Calls } from '../azure/limiter.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { formatKeyIdentifier, sameKeyName } from '../keys/key-identifier.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { DAY_MS, hasBeenSince } from '../time/spans.ts';
import type { Cause } from '../work/messages.ts';
import type { Account, Scope } from './account.ts';
import { type FleetAccount, keysOfAccount } from './fleet-index.ts';
import { accountId, accountRow, KEY_ID } from './fleet-keys.ts';
import type { Wanted } from './lane.ts';
import { type Announcement, observe, type ReadUse } from './observe.ts';
import type { PassResults } from './pass-results.ts';
import { useOfAccount, useOfScope, waveOfTags } from './read-use.ts';
import { hasNoScopes } from './storage-client.ts';
import type { UseRow } from './use-row.ts';
import type { FleetServices } from './worker-ports.ts';

/** Concurrent scope lists of a pass in a region: Azure allows 100 lists in five minutes. */
const SCOPES_CONCURRENCY = 2;
/** Limiter region for calls without a region. */
const NO_REGION = '';

interface ListingPass {
  readonly subscription: string;
  readonly results: PassResults;
  readonly signal: AbortSignal;
  call<T>(
    region: string,
    calls: Calls,
    wanted: Wanted,
    run: () => Promise<T>,
  ): Promise<{ readonly answer: T } | undefined>;
  announced(): readonly Announcement[];
  read(row: UseRow, key: ManagedKey, wanted: Wanted): void;
  progress(key: ManagedKey, cause: Cause): void;
  failItem(wanted: Wanted, error: unknown): void;
}

type ListingPorts = Pick<FleetServices, 'accounts' | 'fleet' | 'rows' | 'vaults' | 'gate' | 'capacity' | 'now'>;

/** Use rows by account. Reads the rows of each key once. */
class KnownRows {
  readonly #read: (key: string) => AsyncIterable<UseRow>;
  readonly #loads = new Map<string, Promise<void>>();
  /** Rows by the account's row key. */
  readonly accounts = new Map<string, UseRow[]>();

  constructor(read: (key: string) => AsyncIterable<UseRow>) {
    this.#read = read;
  }

  /** Returns all rows of an account under these keys. */
  async of(account: string, keys: readonly string[]): Promise<readonly UseRow[]> {
    await this.load(keys);
    return this.accounts.get(accountRow(account)) ?? [];
  }

  async load(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.#loads.set(key, this.#loads.get(key) ?? this.#loadAll(key));
    await Promise.all(keys.map((key) => this.#loads.get(key)));
  }

  async #loadAll(key: string): Promise<void> {
    for await (const row of this.#read(key)) {
      const rows = this.accounts.get(accountRow(row.account)) ?? [];
      this.accounts.set(accountRow(row.account), rows);
      rows.push(row);
    }
  }
}

/**
 * Compares a subscription's accounts and encryption scopes with the index, and records new and deleted uses. Only a
 * read changes an existing row's version, since the row may be the only evidence of an unrecorded move. The index also
 * holds uses of unmanaged keys, as the list returns them.
 */
export class Listing {
  readonly #pass: ListingPass;
  readonly #ports: ListingPorts;

  constructor(pass: ListingPass, ports: ListingPorts) {
    this.#pass = pass;
    this.#ports = ports;
  }

  /** Lists the accounts. @param verified keys whose encryption scopes are also read */
  async list(wanted: Wanted, verified: readonly string[]): Promise<void> {
    const { accounts, fleet, now } = this.#ports;
    const { subscription, signal, results } = this.#pass;
    const records = new Map<string, FleetAccount>();
    for await (const record of fleet.accounts(subscription)) records.set(accountRow(record.account), record);
    const known = this.#knownRows();
    await known.load(this.#withSources([...verified, ...[...records.values()].flatMap(keysOfAccount)]));
    const seen = new Set<string>();
    let startedOn = now();
    const isListed = await this.#pass.call(NO_REGION, { lists: 1 }, wanted, async () => {
      startedOn = now();
      for await (const account of accounts.list(subscription, signal)) {
        seen.add(accountRow(account.id));
        await this.#compareAccount(account, startedOn, records.get(accountRow(account.id)), known, wanted);
      }
    });
    if (!isListed) return;
    const gone = new Map([...records].map(([name, { account }]) => [name, account]));
    for (const [name, rows] of known.accounts) {
      gone.set(name, rows[0]?.account ?? '');
      const isVerified = ({ key, scope }: UseRow) => scope !== undefined && verified.some((id) => sameKeyName(id, key));
      if (seen.has(name)) for (const row of rows.filter(isVerified)) this.#read(row, wanted);
    }
    // A list may be outdated: only a GET confirms a deletion.
    await pMap(
      [...gone].filter(([name]) => !seen.has(name)),
      ([name, account]) => this.#readAccount(account, records.get(name), known, wanted),
      { concurrency: CONCURRENCY },
    );
    results.listed(startedOn);
  }

  /** Reads one account. */
  async account(account: string, wanted: Wanted): Promise<void> {
    const record = await this.#ports.fleet.account(account);
    const known = new KnownRows((key) => this.#ports.rows.ofAccount(key, account));
    await this.#readAccount(account, record, known, wanted);
  }

  /** Lists the encryption scopes of all due accounts, within the rate limits. */
  async scopes(wanted: Wanted): Promise<void> {
    const due: FleetAccount[] = [];
    // Only a scope list that began after a re-key order verifies the order.
    const { fresh = false, since } = wanted.item;
    const isOlder = ({ scopesReadOn = '' }: FleetAccount) => fresh && scopesReadOn < since.toISOString();
    for await (const account of this.#ports.fleet.accounts(this.#pass.subscription)) {
      if (this.#areScopesDue(account) || isOlder(account)) due.push(account);
    }
    // Accounts whose scopes were never listed come first.
    due.sort((a, b) => ((a.scopesReadOn ?? '') < (b.scopesReadOn ?? '') ? -1 : 1));
    const known = this.#knownRows();
    const regions = Map.groupBy(due, ({ location }) => location.toLowerCase());
    // A slow region delays no other region.
    await Promise.all(
      [...regions.values()].map(async (accounts) => {
        let isAdmitted = true;
        await pMap(
          accounts,
          async (account) => {
            if (isAdmitted && !(await this.#listScopes(account, known, wanted))) isAdmitted = false;
          },
          { concurrency: SCOPES_CONCURRENCY },
        );
      }),
    );
  }

  /** @returns false if the rate limits allow no more lists in the region now */
  async #listScopes(record: FleetAccount, known: KnownRows, wanted: Wanted): Promise<boolean> {
    const { account, location } = record;
    try {
      const calls = { lists: 1, purpose: 'scopes' } as const;
      const startedOn = this.#ports.now();
      const read = () => this.#ports.capacity.scopeLists(() => this.#readScopes(account));
      const listed = await this.#pass.call(location, calls, wanted, read);
      if (!listed) return false;
      if (listed.answer) await this.#compareScopes(record, listed.answer, startedOn, known, wanted);
      else await this.#readAccount(account, record, known, wanted);
    } catch (error) {
      this.#pass.failItem(wanted, error);
    }
    return true;
  }

  /** Returns undefined if the account is deleted. */
  async #readScopes(account: string): Promise<readonly Scope[] | undefined> {
    const scopes: Scope[] = [];
    try {
      const list = this.#ports.accounts.listScopes(accountId(account), this.#pass.signal);
      for await (const scope of list) scopes.push(scope);
    } catch (error) {
      const failure = describeFailure(error);
      if (failure.kind === 'notFound') return undefined;
      if (!hasNoScopes(failure)) throw error;
    }
    return scopes;
  }

  async #compareScopes(
    record: FleetAccount,
    scopes: readonly Scope[],
    startedOn: Date,
    known: KnownRows,
    wanted: Wanted,
  ): Promise<void> {
    const { account, location, tags = {} } = record;
    const reads = scopes
      .map((scope) => useOfScope(scope, { account, location, scope: scope.name, wave: waveOfTags(tags) }, startedOn))
      .filter((read) => keyOfRead(read) !== undefined);
    const scopeKeys = [...new Set(reads.map((read) => keyOfRead(read) ?? ''))];
    const rows = await known.of(account, this.#withSources([...keysOfAccount(record), ...scopeKeys]));
    const identity = rows.find(({ scope }) => scope === undefined)?.identity;
    const ofScopes = Map.groupBy(rows, ({ scope }) => scope?.toLowerCase());
    for (const read of reads) {
      const name = read.about.scope?.toLowerCase();
      this.#compareUse(ofScopes.get(name) ?? [], { ...read, about: { ...read.about, identity } }, wanted);
      ofScopes.delete(name);
    }
    for (const row of [...ofScopes.values()].flat()) if (row.scope !== undefined) this.#read(row, wanted);
    this.#pass.results.change({ account, scopesReadOn: startedOn.toISOString(), scopeKeys });
  }

  /** Reads an account, and drops all rows if the account is deleted. */
  async #readAccount(
    account: string,
    record: FleetAccount | undefined,
    known: KnownRows,
    wanted: Wanted,
  ): Promise<void> {
    const { accounts, now } = this.#ports;
    const region = record?.location ?? NO_REGION;
    const read = await this.#pass.call(region, { reads: 1 }, wanted, async () => ({
      startedOn: now(),
      found: await unlessMissing(() => accounts.get(accountId(account), this.#pass.signal)),
    }));
    if (!read) return;
    const { startedOn, found } = read.answer;
    if (found) {
      await this.#compareAccount(found, startedOn, record, known, wanted);
      return;
    }
    const rows = await known.of(account, this.#withSources(record ? keysOfAccount(record) : []));
    for (const row of this.#pass.results.dropAccount(account, rows)) this.#progress(row, wanted);
    if (record) this.#pass.results.change({ account: record.account, isGone: true });
  }

  async #compareAccount(
    account: Account,
    startedOn: Date,
    record: FleetAccount | undefined,
    known: KnownRows,
    wanted: Wanted,
  ): Promise<void> {
    const { id, location, tags } = account;
    const { results } = this.#pass;
    const read = useOfAccount(account, startedOn);
    const key = keyOfRead(read);
    const keys = [...(key === undefined ? [] : [key]), ...(record ? keysOfAccount(record) : [])];
    const ofAccount = Map.groupBy(await known.of(id, this.#withSources(keys)), ({ scope }) => scope === undefined);
    this.#compareUse(ofAccount.get(true) ?? [], read, wanted);
    // A scope has the location, identity and wave of its account.
    for (const row of ofAccount.get(false) ?? [])
      results.keep({ ...(results.find(row) ?? row), ...read.about }, wanted);
    results.change({ account: id, location, tags, key: key ?? '', writtenOn: startedOn.toISOString() });
    if (!record || this.#areScopesDue(record)) results.wantScopes();
  }

  /** Drops the row under the other key: a worker that died during a re-key may have written a row for each key. */
  #compareUse(rows: readonly UseRow[], read: ReadUse, wanted: Wanted): void {
    const key = keyOfRead(read);
    const row = rows.find((one) => key !== undefined && sameKeyName(one.key, key)) ?? rows[0];
    this.#compare(row, read, wanted);
    for (const one of rows) if (one !== row) this.#pass.results.drop(one);
  }

  /** Compares a use from Azure with its row, and adds a new use to the index. */
  #compare(row: UseRow | undefined, read: ReadUse, wanted: Wanted): void {
    const { results } = this.#pass;
    const known = results.find(row ?? read.about) ?? row;
    const observation = observe(known, read, this.#pass.announced());
    if (observation.outdated) return;
    const { row: seen, found, changed } = observation;
    const isSameKey = known && seen && sameKeyName(seen.key, known.key);
    const isSame = isSameKey && !found && !changed;
    if (known && !isSame && this.#ports.vaults.key(known.key)) {
      this.#read(known, wanted);
      return;
    }
    if (known && !isSameKey) results.drop(known);
    if (!seen) return;
    // `reconcileKey` decides on the stage with this row, and puts the work item for its move.
    if (!isSameKey) this.#progress(seen, wanted);
    results.keep(seen, wanted);
  }

  /** Requests a read of a use if a list and the index differ. */
  #read(row: UseRow, wanted: Wanted): void {
    const key = this.#ports.vaults.key(row.key);
    if (key) this.#pass.read(row, key, wanted);
    else this.#pass.results.drop(row);
  }

  #progress({ key: id }: UseRow, { item }: Wanted): void {
    const key = this.#ports.vaults.key(id);
    if (key) this.#pass.progress(key, item.cause);
  }

  /** Workers list an account's scopes once a day. */
  #areScopesDue({ scopesReadOn }: FleetAccount): boolean {
    const now = this.#ports.now();
    return !hasBeenSince(scopesReadOn, now.getTime() - DAY_MS, now);
  }

  #knownRows(): KnownRows {
    return new KnownRows((key) => this.#ports.rows.of(key, this.#pass.subscription));
  }

  /** After an order moves a use, the use's row stays under the source key until a read. */
  #withSources(keys: readonly string[]): readonly string[] {
    return [...new Set(keys.flatMap((key) => [key, ...this.#ports.gate.sourcesOf(key)]))];
  }
}

/** Returns undefined if the use has no key in Key Vault, or an invalid key name. */
function keyOfRead({ use }: ReadUse): string | undefined {
  return use && KEY_ID.safeParse(formatKeyIdentifier(use)).data;
}
