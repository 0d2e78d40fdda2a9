import { beforeAll, describe, expect, it } from 'vitest';
import { tokenOf } from '../break-glass/running-app.ts';
import { useApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { inUse, TestKey } from '../support/fleet.ts';
import { type ReceivedSpan, useTelemetryReceiver } from '../support/telemetry-receiver.ts';

const receiver = useTelemetryReceiver();
const app = useApp({
  env: () => ({
    CMK_CANARY: '1',
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_BSP_SCHEDULE_DELAY: '200',
    OTEL_METRIC_EXPORT_INTERVAL: '1000',
  }),
});

/** One of them is the canary: the others are released by a message. */
const ACCOUNTS = 13;
const spansOf = (traceId: string | undefined) => receiver.spans.filter((span) => span.traceId === traceId);
/** Names from the first span of its trace that came down to this one. */
const wayTo = (span: ReceivedSpan): string[] => {
  const above = receiver.spans.find(({ spanId }) => spanId === span.parentSpanId);
  return [...(above ? wayTo(above) : []), span.name];
};
const eventOf = (key: TestKey) =>
  receiver.spans.find(({ attributes, name }) => name === EVENT && attributes['cmk.key'] === key.id());
const headers = () => ({ authorization: `Bearer ${tokenOf(app.azure, 'revoker')}` });
const readFleet = async () =>
  (await (await fetch(`${app.url}/api/fleet?top=1`, { headers: headers() })).json()) as {
    readonly summary?: { readonly listed: boolean };
  };
const EVENT = 'Microsoft.KeyVault.KeyNewVersionCreated';

describe('the trace of a rotation', () => {
  let key: TestKey;
  let event: ReceivedSpan;
  let patches: ReceivedSpan[];

  beforeAll(async () => {
    // A worker that holds the subscription takes new work along, under its own trace.
    await eventually('the list of the first start is done', async () => {
      const { summary } = await readFleet();
      return summary?.listed && (await app.left()) === 0;
    });
    key = new TestKey(app.azure.world);
    for (let number = 0; number < ACCOUNTS; number += 1) key.account();

    await app.found();
    await app.atRest();
    key.rotate();
    event = await eventually('the span of the event', () => eventOf(key));

    const all = await eventually('each PATCH, and all that is above it', () => {
      const patches = spansOf(event.traceId).filter(({ name }) => name === 'PATCH Microsoft.Storage');
      return patches.length === ACCOUNTS && patches.every((patch) => wayTo(patch)[0] === EVENT) && patches;
    });

    patches = all;
  });

  it('The trace of a rotation leads from the event to the last account', () => {
    expect(new Set(patches.map(({ attributes }) => attributes['cmk.account'])).size).toBe(ACCOUNTS);
    for (const patch of patches) expect(patch).toMatchObject({ kind: 3, isError: false });
  });

  it('The trace of a rotation continues over the queue, and names the invocation that received the message', async () => {
    // A span is sent when it ends, which may be after the last PATCH.
    await eventually('the work of the queue in the trace', () =>
      spansOf(event.traceId).some(({ links, name }) => links > 0 && name === 'reconcile key'),
    );
  });

  it('The trace of a rotation has the count of moves, and the time to the last account', async () => {
    const of = (name: string) =>
      receiver.points.filter((point) => point.name === name && point.attributes.key === key.id());
    await eventually('the metrics of the rotation', () => of('cmk.rotation.duration').length > 0);
    expect(Math.max(...of('cmk.accounts.moved').map(({ value }) => value))).toBe(ACCOUNTS);
    expect(of('cmk.rotation.duration')[0]?.value).toBeGreaterThanOrEqual(0);
  });
});

it('the drift check emits findings by code, open revocations and the age of every queue', async () => {
  const response = await fetch(`${app.url}/admin/functions/driftCheck`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"input":""}',
  });

  expect(response.status).toBe(202);

  const points = await eventually('its metrics', () => {
    const all = receiver.points;
    return all.some(({ name }) => name === 'cmk.revocations.open') && all;
  });
  const checked = app.records().findLast(({ reason }) => reason === 'DriftChecked');
  const findings = Object.fromEntries(
    points.filter(({ name }) => name === 'cmk.drift.findings').map(({ attributes, value }) => [attributes.code, value]),
  );

  expect(Object.keys(findings).length).toBeGreaterThan(0);
  expect(findings).toEqual(checked?.findings);
  expect(points.find(({ name }) => name === 'cmk.revocations.open')?.value).toBe(checked?.openRevocations);

  const queues = points.filter(({ name }) => name === 'cmk.queue.age').map(({ attributes }) => attributes.queue);
  expect(new Set(queues)).toEqual(new Set(['key-work', 'fleet-work', 'notify-work']));
});

describe('a telemetry receiver', () => {
  it('A telemetry receiver that hangs delays neither a revocation nor a move', async () => {
    const key = new TestKey(app.azure.world);
    const account = key.account();

    await app.found();
    receiver.will('hang');

    const next = key.rotate();

    await eventually('the account to move', () => inUse(account) === next.version);

    const hung = receiver.requests;

    await eventually('something to be sent, and to hang', () => receiver.requests > hung);

    const response = await fetch(`${app.url}/api/keys/kv-files/${key.name}/revoke`, {
      method: 'POST',
      headers: { ...headers(), 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'test', confirm: `kv-files/${key.name}` }),
    });

    expect(await response.json()).toMatchObject({ reason: 'Revoked', complete: true });
    expect(app.alive()).toBe(true);
  });
});
