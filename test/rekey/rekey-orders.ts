import { randomUUID } from 'node:crypto';
import { reconcileUnasked } from '../../src/accounts/ask-scopes.ts';
import { reconcileAndNote } from '../../src/accounts/reconcile-and-note.ts';
import { reconcileKey } from '../../src/accounts/reconcile-key.ts';
import type { ManagedKey } from '../../src/keys/managed-vaults.ts';
import { carryOutRekey } from '../../src/rekey/carry-out.ts';
import { changeRekey, type RekeyChange } from '../../src/rekey/control-rekey.ts';
import { type RekeyRequest, startRekey } from '../../src/rekey/start-rekey.ts';
import type { Services } from '../../src/services.ts';
import { AtMostEvery } from '../../src/work/at-most-every.ts';
import type { Work } from '../../src/work/messages.ts';
import { DONE, type Outcome } from '../../src/work/outcome.ts';
import { processWork } from '../../src/work/process.ts';
import type { TestKey } from '../support/fleet.ts';
import type { Wire } from '../support/wire.ts';

/** Each call has an id of its own, as the host gives it. */
export const call = () => ({
  caller: { objectId: '33333333-3333-3333-3333-333333333333', appId: 'test' },
  correlationId: randomUUID(),
});
const FIT = { problems: [], warnings: [], accounts: 0, withoutRole: [] };
/** What comes later than this waits for a person. Seconds. */
const LATE_SECONDS = 600;

/** Orders over the wire, and what carries them out, message by message. */
export class RekeyOrders {
  readonly #wire: Wire;
  readonly services: Services;

  constructor(wire: Wire, env: Readonly<Record<string, string>> = {}) {
    this.#wire = wire;
    this.services = { ...wire.services(env), sleep: async () => {} };
  }

  managed(key: TestKey): ManagedKey {
    const found = this.services.settings.vaults.key(key.id());
    if (!found) throw new Error('The vault is not managed.');
    return found;
  }

  /** Starts one past the checks; its id. */
  async start(from: TestKey, to: TestKey, change: Partial<RekeyRequest> = {}): Promise<string> {
    const request = { from: this.managed(from), to: this.managed(to), reason: 'a test', ticket: undefined };
    const ports = { ...this.services, check: async () => FIT };
    const started = await startRekey({ ...request, maxFailures: 3, ...change }, call(), ports, this.#wire.log);
    return started.order?.id ?? '';
  }

  async change(id: string, what: RekeyChange): Promise<void> {
    const ports = { ...this.services, vaults: this.services.settings.vaults };
    await changeRekey(id, what, 'a test', call(), ports, this.#wire.log);
  }

  async order(id: string) {
    const order = await this.services.rekeys.order(id);
    if (!order) throw new Error('The order is gone.');
    return order;
  }

  /** Why it waits; undefined: it does not. */
  async waits(id: string): Promise<string | undefined> {
    return (await this.order(id)).waits?.reason;
  }

  /** Does what is sent, in turn, with the time that it waits, until nothing is left but what waits for a person. */
  async carryOut(until: () => boolean | Promise<boolean> = () => false): Promise<void> {
    const { services } = this;
    const { azure, log, sent } = this.#wire;
    const run = async (work: Work): Promise<Outcome> => {
      if (work.kind === 'rekey') return carryOutRekey(work, services, log);
      if (work.kind === 'scopes') return reconcileUnasked(work, services);
      if (work.kind === 'key') return reconcileKey(work, services, log);
      return work.kind === 'account' ? reconcileAndNote(work, services, log) : DONE;
    };
    while (!(await until())) {
      const next = sent.shift();
      if (!next) return;
      const { work, queue: queueName, delaySeconds } = next;
      if (delaySeconds > LATE_SECONDS) continue;
      azure.clock.advance(delaySeconds * 1000);
      const received = { entry: work, dequeueCount: 1 };
      const reports = new AtMostEvery(3_600_000);
      await processWork<Work>({ ...services, queueName, received, parse: () => work, run, reports, log });
    }
  }
}
