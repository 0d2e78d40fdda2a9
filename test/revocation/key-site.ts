import { expect } from 'vitest';
import { createManagedKey } from '../../src/keys/managed-vaults.ts';
import { createKeptTrail, createKeyTrail } from '../../src/revocation/key-trail.ts';
import { restore } from '../../src/revocation/restore.ts';
import { revoke } from '../../src/revocation/revoke.ts';
import { verifyRevocation } from '../../src/revocation/verify-revocation.ts';
import { PARSERS, type RevocationWork, type WorkIn } from '../../src/work/messages.ts';
import { requestByMessage } from '../../src/work/work-queue-client.ts';
import { keysOf, MemoryVault } from '../simulation/memory-vault.ts';
import { KEY, VAULT, VAULTS } from '../support/keys.ts';
import { MemoryTrail } from '../support/memory-trail.ts';

export const OTHER = createManagedKey(VAULT, 'other-key');
const START = Date.UTC(2026, 5, 1, 12);

/** Two keys and their audit trail, with the use-cases of the app over them. */
export class KeySite {
  #clock = START;
  #ids = 0;
  readonly now = () => new Date(this.#clock);
  readonly trail = new MemoryTrail(this.now);
  readonly vaults = new Map([
    [KEY.id, new MemoryVault(2, this.now)],
    [OTHER.id, new MemoryVault(2, this.now)],
  ]);
  readonly sent: WorkIn<'key-work'>[] = [];

  pass(seconds: number): void {
    this.#clock += seconds * 1000;
  }

  vault(key = KEY): MemoryVault {
    return this.vaults.get(key.id) as MemoryVault;
  }

  enabled(key = KEY): boolean[] {
    return this.vault(key).versions.map(({ enabled }) => enabled);
  }

  services(key = KEY) {
    const queue = {
      send: async (_queue: string, work: object) => {
        this.sent.push(work as WorkIn<'key-work'>);
      },
    };

    return {
      settings: { vaults: VAULTS },
      keys: keysOf(this.vault(key), async (_, effect) => effect()),
      now: this.now,
      sleep: async () => {},
      audit: this.trail.audit,
      keyTrail: createKeyTrail(this.trail.files),
      keptTrail: createKeptTrail(this.trail.files),
      queue,
      requestKey: requestByMessage(queue),
    };
  }

  async revoke(objectId: string, key = KEY, kind: 'person' | 'application' = 'person'): Promise<string> {
    this.pass(20);
    this.#ids += 1;
    const newId = () => `rev-${this.#ids}`;
    const by = call(objectId, kind);
    await revoke(key, by, { ...this.services(key), newId, dependents: async () => undefined }, () => {});
    return newId();
  }

  async restore(...call: Parameters<KeySite['restored']>): Promise<string> {
    return (await this.restored(...call)).end;
  }

  async restored(
    objectId: string,
    revocation: string,
    key = KEY,
    more: object = {},
    kind: 'person' | 'application' = 'person',
  ) {
    this.pass(20);

    const readiness = async () => ({ accounts: [], warnings: [] });
    const own = this.services(key);
    const services = { ...own, dualControl: true, readiness, ...more };

    return restore(key, revocation, call(objectId, kind), services, () => {});
  }

  /** A writer of the queue sends it, and the app receives it. */
  async deliver(message: object, key = KEY): Promise<void> {
    this.pass(20);
    const work = PARSERS['key-work'](JSON.parse(JSON.stringify(message)));
    expect(await verifyRevocation(work as RevocationWork, this.services(key), () => {})).toEqual({ outcome: 'done' });
  }
}

/** A person by default. */
export function call(objectId: string, kind: 'person' | 'application' = 'person') {
  const caller = { objectId, appId: 'app', kind };
  return { caller, correlationId: 'call', why: 'a test', ticket: undefined };
}
