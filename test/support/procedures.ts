import { randomBytes } from 'node:crypto';
import { ClientSecretCredential } from '@azure/identity';
import { beforeEach, expect } from 'vitest';
import { CLIENT_IDS, SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { DEFAULT_SETTINGS } from '../../local/azure/create-world.ts';
import {
  addAccount,
  addIdentity,
  addKeyVersion,
  addPrincipal,
  addResourceGroup,
  addRoleAssignment,
  addSubscription,
  addVault,
  allowStorage,
} from '../../local/azure/fleet.ts';
import { BUILT_IN_ROLES } from '../../local/azure/roles/built-in-roles.ts';
import type { LocalAzure } from '../../local/azure/server.ts';
import type {
  KeyVersion,
  Principal,
  ResourceGroup,
  StorageAccount,
  UserAssignedIdentity,
  Vault,
  World,
  WorldSettings,
} from '../../local/azure/world.ts';
import { type Entry, Journal, type Report } from '../../src/audit/journal.ts';
import { findCloud } from '../../src/azure/cloud.ts';
import { type Azure, createAzure, type Operation } from '../../src/cli/procedures/operator-azure.ts';
import { resolveKeyByName } from '../../src/cli/procedures/resolve.ts';
import { CmkError } from '../../src/errors/errors.ts';
import { useLocalAzure } from './local-azure.ts';

const cloud = findCloud('AzureCloud') as NonNullable<ReturnType<typeof findCloud>>;

/** A name that no other test has. */
export function unique(prefix: string): string {
  return `${prefix}${randomBytes(4).toString('hex')}`;
}

/** What an operation needs, apart: a vault with a key, an identity that may use it, an account on Microsoft's keys. */
export interface Site {
  readonly group: ResourceGroup;
  readonly vault: Vault;
  readonly key: string;
  readonly version: KeyVersion;
  readonly identity: UserAssignedIdentity;
  readonly account: StorageAccount;
}

/** Operations on the local Azure, as an owner or another principal runs them. */
export class Procedures {
  readonly #local: { readonly azure: LocalAzure };

  constructor(local: { readonly azure: LocalAzure }) {
    this.#local = local;
  }

  get local(): LocalAzure {
    return this.#local.azure;
  }

  get world(): World {
    return this.local.world;
  }

  group(name = unique('rg-')): ResourceGroup {
    const subscription =
      this.world.subscriptions.get(SUBSCRIPTION_ID) ?? addSubscription(this.world, { subscriptionId: SUBSCRIPTION_ID });
    return addResourceGroup(this.world, subscription, name);
  }

  site(
    options: {
      vault?: Parameters<typeof addVault>[3];
      key?: Parameters<typeof addKeyVersion>[3];
      role?: boolean;
      group?: string;
    } = {},
  ): Site {
    const group = this.group(options.group);
    const vault = addVault(this.world, group, unique('kv-'), options.vault);
    const key = 'files-key';
    const version = addKeyVersion(this.world, vault, key, options.key);
    const identity = addIdentity(this.world, group, unique('id-'));
    if (options.role ?? true) allowStorage(this.world, vault, identity.principalId);

    const account = addAccount(this.world, group, { name: unique('st'), shares: ['share1'] });

    return { group, vault, key, version, identity, account };
  }

  /** An account of a site that uses its key. */
  encrypted(site: Site, mode: 'pinned' | 'automatic' | 'automaticEmpty' = 'automatic'): StorageAccount {
    return addAccount(this.world, site.group, {
      name: unique('st'),
      shares: ['share1'],
      identity: site.identity,
      key: { vault: site.vault, keyName: site.key, mode },
    });
  }

  /** A second version of a site's key, a second later. */
  nextVersion(site: Site, options: Parameters<typeof addKeyVersion>[3] = {}): KeyVersion {
    this.local.clock.advance(1_000);
    return addKeyVersion(this.world, site.vault, site.key, options);
  }

  /** A principal without any right. */
  stranger(): Principal {
    return addPrincipal(this.world, { displayName: unique('stranger-') });
  }

  /** A principal that has these roles and no others, and has had them for long. */
  somebodyWith(scope: string, ...roles: (keyof typeof BUILT_IN_ROLES)[]): Principal {
    const person = this.stranger();
    for (const role of roles) {
      const { objectId: principalId } = person;
      addRoleAssignment(this.world, { scope, principalId, role: BUILT_IN_ROLES[role], settled: true });
    }
    return person;
  }

  /** A key of a site's vault that is deleted and can be recovered, by its name. */
  deletedKey({ vault }: Site): string {
    const key = unique('gone-');
    addKeyVersion(this.world, vault, key);
    const gone = vault.keys.get(key);
    if (!gone) throw new Error(`no key ${key}`);
    vault.keys.delete(key);
    vault.deletedKeys.set(key, { ...gone, deletedDate: 0, scheduledPurgeDate: 9e9 });
    return key;
  }

  /** A principal's sign-in: an owner's, unless another is given. */
  credential(who: Principal = this.#owner()): ClientSecretCredential {
    return new ClientSecretCredential(this.world.tenantId, who.clientId, who.secret);
  }

  /** Azure as a principal's sign-in reaches it, on the local Azure's clock; waiting moves that clock. */
  azure(who?: Principal): Azure {
    return {
      ...createAzure(this.credential(who), cloud, SUBSCRIPTION_ID),
      now: () => this.local.clock.now(),
      sleep: async (ms) => this.local.clock.advance(ms),
    };
  }

  /** Runs an operation and reports it. */
  async run<R>(
    work: (operation: Operation) => Promise<R>,
    options: { dryRun?: boolean; as?: Principal; azure?: Azure } = {},
  ): Promise<Report<R> & { readonly shown: readonly Entry[] }> {
    const shown: Entry[] = [];
    const journal = new Journal({ dryRun: options.dryRun ?? false, show: (entry) => shown.push(entry) });
    const azure = options.azure ?? this.azure(options.as);
    const result = await work({ azure, journal });
    return { ...journal.report('test', result), shown };
  }

  /** Runs an operation that has to be refused, and gives the refusal. */
  async refusal(
    work: (operation: Operation) => Promise<unknown>,
    options: { dryRun?: boolean; as?: Principal } = {},
  ): Promise<CmkError> {
    const journal = new Journal(options);
    const error = await work({ azure: this.azure(options.as), journal }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );

    expect(error).toBeInstanceOf(CmkError);
    expect(journal.entries.filter(({ kind }) => kind === 'done')).toEqual([]);

    return error as CmkError;
  }

  /** Writes that reached Azure while `run` ran, as `PATCH https://…`. */
  async writes(run: () => Promise<unknown>): Promise<string[]> {
    const since = this.local.requests.since(0).at(-1)?.seq ?? 0;
    await run();
    return this.local.requests
      .since(since)
      .filter(({ host }) => host !== 'login.microsoftonline.com')
      .filter(({ method, path }) => /PUT|PATCH|DELETE|POST/.test(method) && !/ResourceGraph|checkName/i.test(path))
      .map(({ method, host, path }) => `${method} https://${host}${path.replace(/\?.*/, '')}`);
  }

  #owner(): Principal {
    const owner = this.world.principals.get(CLIENT_IDS.owner);
    if (!owner) throw new Error('The local tenant has no owner.');
    return owner;
  }
}

/** For one test file, at the top level. Settings and faults are as they were before each test. */
export function useProcedures(settings: Partial<WorldSettings> = {}): Procedures {
  const local = useLocalAzure({ fleet: 'empty', settings });
  beforeEach(() => {
    local.azure.faults.clear();
    Object.assign(local.azure.world.settings, DEFAULT_SETTINGS, { instantProvisioning: true }, settings);
  });
  return new Procedures(local);
}

/** What an operation found, did or planned, as texts. */
export function texts(report: { readonly entries: readonly Entry[] }, kind: Entry['kind']): string[] {
  return report.entries.filter((entry) => entry.kind === kind).map(({ text }) => text);
}

export function keyOf(site: Pick<Site, 'vault' | 'key'>): ReturnType<typeof resolveKeyByName> {
  return resolveKeyByName(site.key, site.vault.id, cloud);
}
