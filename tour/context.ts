import { setTimeout as sleep } from 'node:timers/promises';
import { type Encryption, StorageManagementClient } from '@azure/arm-storage';
import { ClientSecretCredential, type TokenCredential } from '@azure/identity';
import { KeyClient } from '@azure/keyvault-keys';
import { SECOND_SUBSCRIPTION_ID, SUBSCRIPTION_ID } from '../local/azure/constants.ts';
import { findAccountKeyUse, type KeyUse } from '../src/accounts/key-use.ts';
import { TourError } from './expect.ts';
import type { Screen } from './screen.ts';

/** A request that the local Azure served, as its control API tells. */
export interface ServedRequest {
  readonly seq: number;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly status: number;
}

/** A storage account with its use of a key, as Azure Resource Manager shows it. */
export interface SeenAccount {
  readonly name: string;
  readonly id: string;
  readonly use: KeyUse | undefined;
  readonly encryption: Encryption;
}

/** What the steps work with: an owner's sign-in with the plain Azure SDKs, the app's API, and the local Azure's controls. */
export class TourContext {
  readonly screen: Screen;
  readonly credential: TokenCredential;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #token: (signIn: string) => Promise<string>;

  constructor(
    environment: Readonly<Record<string, string>>,
    screen: Screen,
    token: (signIn: string) => Promise<string>,
  ) {
    this.#environment = environment;
    this.#token = token;
    this.screen = screen;
    this.credential = new ClientSecretCredential(
      this.variable('AZURE_TENANT_ID'),
      this.variable('AZURE_CLIENT_ID'),
      this.variable('AZURE_CLIENT_SECRET'),
    );
  }

  variable(name: string): string {
    const value = this.#environment[name];
    if (!value) throw new TourError(`The tour was started without ${name}.`);
    return value;
  }

  keys(vault: string, service: 'vault' | 'managedhsm' = 'vault'): KeyClient {
    return new KeyClient(`https://${vault}.${service}.azure.net`, this.credential);
  }

  storage(subscriptionId: string = SUBSCRIPTION_ID): StorageManagementClient {
    return new StorageManagementClient(this.credential, subscriptionId);
  }

  /** Every storage account of both subscriptions. */
  async accounts(): Promise<SeenAccount[]> {
    const seen: SeenAccount[] = [];
    for (const subscription of [SUBSCRIPTION_ID, SECOND_SUBSCRIPTION_ID]) {
      for await (const { name, id, encryption } of this.storage(subscription).storageAccounts.list()) {
        if (name && id && encryption) seen.push({ name, id, encryption, use: findAccountKeyUse(encryption) });
      }
    }
    return seen;
  }

  /** Calls the app's API as one of the local tenant's sign-ins, or without a token. */
  async api<Body = object>(
    signIn: string | undefined,
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
  ): Promise<ApiAnswer<Body>> {
    const token = signIn && (await this.#token(signIn));
    const response = await fetch(`${this.variable('CMK_API')}${path}`, {
      method,
      headers: {
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? {} : JSON.parse(text) };
  }

  /** The local Azure's control API. */
  async control<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${this.variable('LOCAL_AZURE_CONTROL')}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await response.text();
    if (!response.ok) throw new TourError(`The local Azure answered ${response.status} to ${method} ${path}: ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** Number of the last request served, to ask for what comes after it. */
  async lastRequest(): Promise<number> {
    return (await this.control<{ requests: number }>('GET', '/')).requests;
  }

  async requestsSince(seq: number): Promise<ServedRequest[]> {
    return this.control<ServedRequest[]>('GET', `/requests?since=${seq}`);
  }

  /** Asks again until `look` returns something, for at most `seconds`. */
  async until<T>(what: string, seconds: number, look: () => Promise<T | undefined>): Promise<T> {
    const end = Date.now() + seconds * 1000;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (Date.now() > end) throw new TourError(`Waited ${seconds} s for ${what}.`);
      await sleep(100);
    }
  }
}

export interface ApiAnswer<Body> {
  readonly status: number;
  /** It may be a problem instead: a step that reads a field checks that it is there. */
  readonly body: Partial<Omit<Body, 'reason'>> & { readonly reason?: string };
}
