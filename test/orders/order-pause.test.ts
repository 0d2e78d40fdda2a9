import { beforeEach, describe, expect, it } from 'vitest';
import type { AuditEntry } from '../../src/audit/record.ts';
import { recordOverdueChanges } from '../../src/orders/change-orders.ts';
import { type ControlPorts, orderPause, orderResume } from '../../src/orders/order-pause.ts';
import { isResumed, withRekey } from '../../src/orders/standing-orders.ts';
import { day, KEY, keyVersion } from '../support/keys.ts';
import { MemoryOrders } from './memory-orders.ts';

const OTHER = `${KEY.vault.uri}/keys/other-key`;
const caller = { objectId: 'alice', appId: 'az', kind: 'person' } as const;
const order = { caller, correlationId: 'call-1', reason: 'Migration' };

let store: MemoryOrders;
let audited: AuditEntry[];
let requested: (readonly string[] | 'all')[];
let nowMs: number;
/** By key or order: target version of a rollout that a failed stage holds. */
let held: Map<string, string>;
let ports: ControlPorts;

beforeEach(() => {
  store = new MemoryOrders();
  audited = [];
  requested = [];
  nowMs = day(199).getTime();
  held = new Map();

  const now = () => new Date(nowMs);
  ports = {
    orderStore: store,
    now,
    newId: () => 'o1',
    rollouts: { held: async (name) => held.get(name) },
    requestKeys: async (keys) => {
      requested.push(keys);
    },
    audit: async (entry) => {
      audited.push(entry);
      return { written: { file: 'f', seq: 1, hash: 'h' } };
    },
  };
});
const withoutAudit = (): ControlPorts => ({ ...ports, audit: async () => ({ failed: 'The trail is down.' }) });

describe('An order to pause', () => {
  it('An order to pause is stored, and recorded under an id of its own', async () => {
    const until = new Date(nowMs + 3_600_000);
    const ordered = await orderPause({ ...order, key: KEY.id, ticket: 'C-1', until }, ports, () => {});

    expect(ordered).toMatchObject({
      audit: 'written',
      ended: [],
      pauses: [{ id: 'o1', key: KEY.id, by: { objectId: 'alice' } }],
    });

    expect(audited).toEqual([
      {
        id: 'fleet.control/o1',
        action: 'fleet.pause',
        reason: 'Paused',
        resource: KEY.id,
        caller,
        correlationId: 'call-1',
        details: {
          on: new Date(nowMs).toISOString(),
          why: 'Migration',
          ticket: 'C-1',
          until: until.toISOString(),
          ended: [],
        },
      },
    ]);

    expect(store.orders.unrecorded).toEqual([]);
  });

  it('An order to pause is stored once when the answer to its write is lost, and names the pause that it replaced', async () => {
    await orderPause({ ...order }, { ...ports, newId: () => 'before' }, () => {});
    store.lostAnswers = 1;
    const { pauses, ended } = await orderPause(order, ports, () => {});
    expect([pauses, ended]).toMatchObject([[{ id: 'o1' }], [{ id: 'before' }]]);
  });

  it('An order to pause takes effect while the audit trail is down, and the sweep records it after a minute', async () => {
    expect(await orderPause(order, withoutAudit(), () => {})).toMatchObject({ audit: 'The trail is down.' });
    expect(await recordOverdueChanges(ports)).toEqual([]);
    nowMs += 60_000;
    await expect(recordOverdueChanges(withoutAudit())).rejects.toMatchObject({ reason: 'AuditFailed' });
    expect(await recordOverdueChanges(ports)).toEqual(['fleet.control/o1']);
    expect(audited).toMatchObject([{ id: 'fleet.control/o1', details: { foundIn: 'cmk-control' } }]);
    expect(await recordOverdueChanges(ports)).toEqual([]);
  });
});

describe('An order to resume', () => {
  it('An order to resume a key ends its pause and reconciles the key', async () => {
    await orderPause({ ...order, key: KEY.id }, ports, () => {});
    const { pauses, ended } = await orderResume({ ...order, key: KEY.id }, { ...ports, newId: () => 'o2' }, () => {});
    expect([pauses, ended]).toMatchObject([[], [{ id: 'o1' }]]);
    expect(requested).toEqual([[KEY.id]]);
  });

  it('An order to resume a key opens no gate while no failed stage holds its rollout', async () => {
    await orderPause({ ...order, key: KEY.id }, ports, () => {});
    const { opened } = await orderResume({ ...order, key: KEY.id }, ports, () => {});
    expect([opened, store.orders.resumes]).toEqual([[], []]);
  });

  it('An order to resume a key opens the gate that a failed stage holds, for that version alone, and is recorded', async () => {
    const { id } = keyVersion(199);
    held.set(KEY.id, id);
    const { opened } = await orderResume({ ...order, key: KEY.id }, ports, () => {});
    expect(opened).toEqual([id]);
    expect(isResumed(store.orders, id)).toBe(true);
    expect(isResumed(store.orders, keyVersion(100).id)).toBe(false);
    expect(audited).toMatchObject([{ action: 'fleet.resume', details: { opened: [id] } }]);
  });

  it("An order to resume a key opens the held gate of its re-key, and not that of the target key's own rollout", async () => {
    const by = { objectId: 'alice' };
    const rekey = { id: 'r', from: KEY.id, to: OTHER, state: 'active', maxFailures: 3, reason: 'leaked', by } as const;
    store.orders = withRekey(store.orders, { ...rekey, startedOn: day(1).toISOString() }, day(1));
    held.set('r', `${OTHER}/2`);
    await orderResume({ ...order, key: KEY.id }, ports, () => {});
    expect(isResumed(store.orders, `${OTHER}/2`, 'r')).toBe(true);
    expect(isResumed(store.orders, `${OTHER}/2`)).toBe(false);
  });

  it('An order to resume warns that it opens no gate when the rollout cannot be read, and that the queue is down', async () => {
    const down = async () => {
      throw new Error('no answer');
    };
    const { warnings } = await orderResume(
      { ...order, key: KEY.id },
      { ...ports, rollouts: { held: down }, requestKeys: down },
      () => {},
    );

    expect(warnings).toEqual([
      `A rotation that a failed canary or wave holds remains held, because the app failed to read the state of ${KEY.id}: Error: no answer`,
      'Pending moves resume within two minutes, not at once (Error: no answer).',
    ]);
  });
});
