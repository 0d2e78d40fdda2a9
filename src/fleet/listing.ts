import pLimit from 'p-limit';
import pMap from 'p-map';
import { describeFailure, unlessMissing } from '../azure/failure.ts';
import type { Calls } from '../azure/limiter.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { formatKeyIdentifier, sameKeyName } from '../keys/key-identifier.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { DAY_MS, hasBeenSince } from '../time/spans.ts';
import type { Cause } from '../work/messages.ts';
import type { Account, Scope } from './account.ts';
import type { FleetAccount } from './fleet-index.ts';
import { accountId, accountRow } from './fleet-keys.ts';
import { changesOfAccount, changesOfGoneAccount, changesOfScopes, isScopesDue } from './index-account.ts';
import type { Wanted } from './lane.ts';
import { type Announcement, observe, type ReadUse } from './observe.ts';
import type { PassResults } from './pass-results.ts';
import { useOfAccount, useOfScope, waveOfTags } from './read-use.ts';
import { hasNoScopes } from './storage-client.ts';
import { areDifferent, type UseRow } from './use-row.ts';
import type { WorkerPorts } from './worker-ports.ts';

/** Lists of scopes of one pass in a region: Azure admits 100 in five minutes. */
const SCOPES_CONCURRENCY = 2;
/** Lists of scopes of all passes: none is urgent, and each connection takes 100 KB that the process keeps. */
const scopeLists = pLimit(16);
/** Limiter region of calls that belong to no region. */
const NO_REGION = '';

/** What a listing needs of its pass. */
interface ListingPass {
  readonly results: PassResults;
  /** Aborts when there is no time left. */
  readonly signal: AbortSignal;
  /** Runs a call within the budgets; undefined: it was throttled, and the item is postponed. */
  call<T>(
    region: string,
    calls: Calls,
    wanted: Wanted,
    run: () => Promise<T>,
  ): Promise<{ readonly answer: T } | undefined>;
  announced(): readonly Announcement[];
  /** Queues a read of the use, which then writes its row. */
  read(row: UseRow, key: ManagedKey, wanted: Wanted): void;
  /** Has the key reconciled after the pass. */
  progress(key: ManagedKey, cause: Cause): void;
  /** Postpones the item, by the error. */
  failed(wanted: Wanted, error: unknown): void;
}

type ListingPorts = Pick<WorkerPorts, 'accounts' | 'fleet' | 'rows' | 'vaults' | 'gate' | 'now'>;

/** Use rows of managed keys, each key's read once. */
class KnownRows {
  readonly #read: (key: string) => AsyncIterable<UseRow>;
  readonly #loads = new Map<string, Promise<void>>();
  readonly #rows = new Map<string, UseRow[]>();

  constructor(read: (key: string) => AsyncIterable<UseRow>) {
    this.#read = read;
  }

  /** By row of the account. */
  get accounts(): ReadonlyMap<string, readonly UseRow[]> {
    return this.#rows;
  }

  load(key: string): Promise<void> {
    const load = this.#loads.get(key) ?? this.#loadAll(key);
    this.#loads.set(key, load);
    return load;
  }

  of(account: string): readonly UseRow[] {
    return this.#rows.get(accountRow(account)) ?? [];
  }

  async #loadAll(key: string): Promise<void> {
    for await (const row of this.#read(key)) {
      const name = accountRow(row.account);
      this.#rows.set(name, [...(this.#rows.get(name) ?? []), row]);
    }
  }
}

/**
 * Compares the accounts of a subscription and their encryption scopes with the index, and writes what is new or deleted. Only
 * a read changes the version of an existing row, since the row may be the only trace of a move that is not recorded.
 */
export class Listing {
  readonly #subscription: string;
  readonly #pass: ListingPass;
  readonly #ports: ListingPorts;

  constructor(subscription: string, pass: ListingPass, ports: ListingPorts) {
    this.#subscription = subscription;
    this.#pass = pass;
    this.#ports = ports;
  }

  /** Lists the accounts. @param verified keys whose encryption scopes are read as well */
  async list(wanted: Wanted, verified: readonly string[]): Promise<void> {
    const { accounts, fleet, now } = this.#ports;
    const records = new Map<string, FleetAccount>();
    for await (const record of fleet.accounts(this.#subscription)) records.set(accountRow(record.account), record);
    const known = this.#knownRows();
    await this.#loadRows(known, [...verified, ...[...records.values()].flatMap(keysOf)]);
    const seen = new Set<string>();
    let startedOn = now();
    const isListed = await this.#pass.call(NO_REGION, { lists: 1 }, wanted, async () => {
      startedOn = now();
      for await (const account of accounts.list(this.#subscription, this.#pass.signal)) {
        const row = accountRow(account.id);
        seen.add(row);
        await this.#compareAccount(account, startedOn, records.get(row), known, wanted);
      }
    });
    if (!isListed) return;
    const rows = [...known.accounts].flatMap(([name, all]) => (seen.has(name) ? all : []));
    const isVerified = ({ key, scope }: UseRow) => scope !== undefined && verified.some((id) => sameKeyName(id, key));
    for (const row of rows.filter(isVerified)) this.#read(row, wanted);
    const gone = [...new Set([...records.keys(), ...known.accounts.keys()])].filter((name) => !seen.has(name));
    await pMap(
      gone,
      async (name) => {
        const record = records.get(name);
        const account = record?.account ?? known.accounts.get(name)?.[0]?.account;
        // A list may lag behind: only a GET shows that the account is deleted.
        if (account) await this.#readAccount(account, record, known, wanted);
      },
      { concurrency: CONCURRENCY },
    );
    this.#pass.results.listed(startedOn);
  }

  /** Reads one account. */
  async account(account: string, wanted: Wanted): Promise<void> {
    const record = await this.#ports.fleet.account(account);
    const known = new KnownRows((key) => this.#ports.rows.ofAccount(key, account));
    await this.#loadRows(known, record ? keysOf(record) : []);
    await this.#readAccount(account, record, known, wanted);
  }

  /** Lists the encryption scopes of the accounts that are due, within the budgets. */
  async scopes(wanted: Wanted): Promise<void> {
    const due: FleetAccount[] = [];
    // A re-key order is verified by scope lists that began after the order.
    const { fresh = false, since } = wanted.item;
    const isOlder = ({ scopesReadOn = '' }: FleetAccount) => fresh && scopesReadOn < since.toISOString();
    for await (const account of this.#ports.fleet.accounts(this.#subscription)) {
      if (isScopesDue(account, this.#ports.now()) || isOlder(account)) due.push(account);
    }
    // Accounts whose scopes were never listed come first.
    due.sort((a, b) => ((a.scopesReadOn ?? '') < (b.scopesReadOn ?? '') ? -1 : 1));
    const known = this.#knownRows();
    const regions = Map.groupBy(due, ({ location }) => location.toLowerCase());
    // A hanging region delays no other region.
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

  /** @returns false: the budgets admit no more lists in the region now */
  async #listScopes(record: FleetAccount, known: KnownRows, wanted: Wanted): Promise<boolean> {
    const { account, location } = record;
    try {
      const calls = { lists: 1, purpose: 'scopes' } as const;
      const listed = await this.#pass.call(location, calls, wanted, () => scopeLists(() => this.#readScopes(account)));
      if (!listed) return false;
      if (listed.answer) await this.#compareScopes(record, listed.answer, known, wanted);
      else await this.#readAccount(account, record, known, wanted);
    } catch (error) {
      this.#pass.failed(wanted, error);
    }
    return true;
  }

  /** Undefined: the account does not exist any more. */
  async #readScopes(account: string): Promise<ListedScopes | undefined> {
    const { accounts, now } = this.#ports;
    const startedOn = now();
    const scopes: Scope[] = [];
    try {
      for await (const scope of accounts.listScopes(accountId(account), this.#pass.signal)) scopes.push(scope);
    } catch (error) {
      const failure = describeFailure(error);
      if (failure.kind === 'notFound') return undefined;
      if (!hasNoScopes(failure)) throw error;
    }
    return { scopes, startedOn };
  }

  async #compareScopes(record: FleetAccount, listed: ListedScopes, known: KnownRows, wanted: Wanted): Promise<void> {
    const { account, location, tags = {} } = record;
    const { scopes, startedOn } = listed;
    const reads = scopes.map((scope) => useOfScope(scope, { account, location, scope: scope.name }, startedOn));
    await this.#loadRows(known, [...keysOf(record), ...reads.flatMap(keysOfRead)]);
    const rows = known.of(account);
    const identity = rows.find(({ scope }) => scope === undefined)?.identity;
    const about = { account, location, ...waveOfTags(tags), ...(identity ? { identity } : {}) };
    const byScope = Map.groupBy(
      rows.filter(({ scope }) => scope !== undefined),
      (row) => row.scope?.toLowerCase(),
    );
    for (const read of reads) {
      const name = read.about.scope?.toLowerCase();
      const own = byScope.get(name) ?? [];
      byScope.delete(name);
      this.#compareUse(own, { ...read, about: { ...read.about, ...about } }, wanted);
    }
    for (const row of [...byScope.values()].flat()) this.#read(row, wanted);
    this.#pass.results.change(changesOfScopes(record, scopes, about, { startedOn, isManaged: this.#isManaged }));
  }

  /** Reads an account, and drops all rows of a deleted account. */
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
    for (const row of this.#pass.results.dropAccount(account, known.of(account))) {
      const key = this.#ports.vaults.key(row.key);
      if (key) this.#pass.progress(key, wanted.item.cause);
    }
    if (record) this.#pass.results.change(changesOfGoneAccount(record, this.#isManaged));
  }

  async #compareAccount(
    account: Account,
    startedOn: Date,
    record: FleetAccount | undefined,
    known: KnownRows,
    wanted: Wanted,
  ): Promise<void> {
    const read = useOfAccount(account, startedOn);
    await this.#loadRows(known, keysOfRead(read));
    const rows = known.of(account.id);
    this.#compareUse(
      rows.filter(({ scope }) => scope === undefined),
      read,
      wanted,
    );
    for (const row of rows) if (row.scope !== undefined) this.#putAbout(row, read.about, wanted);
    this.#pass.results.change(changesOfAccount(account, record, { startedOn, isManaged: this.#isManaged }));
    if (isScopesDue(record ?? {}, this.#ports.now())) this.#pass.results.wantScopes();
  }

  /** A worker that died during a re-key may have left a row under each key: the row under the other key is dropped. */
  #compareUse(rows: readonly UseRow[], read: ReadUse, wanted: Wanted): void {
    const [key] = keysOfRead(read);
    const row = rows.find((one) => key !== undefined && sameKeyName(one.key, key)) ?? rows[0];
    this.#compare(row, read, wanted);
    this.#pass.results.change(rows.filter((one) => one !== row).map((of) => ({ drop: 'use', of })));
  }

  /** Compares what Azure shows of a use with its row, if it has one, and puts a new one into the index. */
  #compare(row: UseRow | undefined, read: ReadUse, wanted: Wanted): void {
    const { results } = this.#pass;
    const known = results.find(row ?? read.about) ?? row;
    const observation = observe(known, read, this.#pass.announced());
    if (observation.outdated) return;
    const { row: seen, found, changed } = observation;
    const key = this.#ports.vaults.key(known?.key ?? seen?.key ?? '');
    if (!key) return;
    const isSame = seen && !found && !changed && sameKeyName(seen.key, key.id);
    if (!isSame) {
      if (known) this.#pass.read(known, key, wanted);
      return;
    }
    // `reconcileKey` decides with it on the stage, and puts the item that moves it.
    if (!known) this.#pass.progress(key, wanted.item.cause);
    // The index may have lost what this pass has written.
    if (!known || !row || isWorthWriting(known, seen)) results.keep(seen, wanted);
  }

  /** Updates a scope's row with the location, identity and wave of its account. */
  #putAbout(row: UseRow, { account, location, wave, identity }: ReadUse['about'], wanted: Wanted): void {
    const before = this.#pass.results.find(row) ?? row;
    const { wave: _, identity: __, ...rest } = before;
    const about = { account, location, ...(wave ? { wave } : {}), ...(identity ? { identity } : {}) };
    const next: UseRow = { ...rest, ...about };
    if (this.#isManaged(row.key) && areDifferent(before, next)) this.#pass.results.keep(next, wanted);
  }

  #read(row: UseRow, wanted: Wanted): void {
    const key = this.#ports.vaults.key(row.key);
    if (key) this.#pass.read(row, key, wanted);
  }

  readonly #isManaged = (key: string): boolean => this.#ports.vaults.key(key) !== undefined;

  #knownRows(): KnownRows {
    return new KnownRows((key) => this.#ports.rows.of(key, this.#subscription));
  }

  async #loadRows(known: KnownRows, keys: readonly string[]): Promise<void> {
    const { vaults, gate } = this.#ports;
    // A use that an order has moved keeps its row under the source key until the use is read.
    const all = keys.flatMap((key) => [key, ...gate.sourcesOf(key)]);
    const managed = new Set(all.flatMap((key) => vaults.key(key)?.id ?? []));
    await pMap(managed, (key) => known.load(key), { concurrency: CONCURRENCY });
  }
}

interface ListedScopes {
  readonly scopes: readonly Scope[];
  readonly startedOn: Date;
}

/** Of the same version: something else has changed, or the row was not written for a day. */
function isWorthWriting(known: UseRow, seen: UseRow): boolean {
  return (
    areDifferent(known, seen) || !hasBeenSince(known.readOn, Date.parse(seen.readOn) - DAY_MS, new Date(seen.readOn))
  );
}

function keysOf({ key, scopeUses }: FleetAccount): readonly string[] {
  return [...(key ? [key] : []), ...scopeUses.map((use) => use.key)];
}

function keysOfRead({ use }: ReadUse): readonly string[] {
  return use ? [formatKeyIdentifier(use)] : [];
}
