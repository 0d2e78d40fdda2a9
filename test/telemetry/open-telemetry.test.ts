import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startOpenTelemetry } from '../../src/telemetry/open-telemetry-client.ts';
import type { Telemetry } from '../../src/telemetry/telemetry.ts';
import { eventually } from '../support/eventually.ts';
import { useTelemetryReceiver } from '../support/telemetry-receiver.ts';

const receiver = useTelemetryReceiver();
const failures: string[] = [];
let telemetry: Telemetry;

beforeAll(() => {
  // The exporter reads these from the process, as the SDK's own documentation has it.
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = receiver.url;
  process.env.OTEL_EXPORTER_OTLP_HEADERS = 'api-key=known';
  process.env.HTTPS_PROXY = receiver.url;

  telemetry = startOpenTelemetry({
    environment: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_BSP_SCHEDULE_DELAY: '50',
      APPLICATIONINSIGHTS_CONNECTION_STRING: `InstrumentationKey=00000000-0000-4000-8000-000000000001;IngestionEndpoint=https://insights.vault.azure.net/`,
    },
    credential: undefined,
    queueAges: async () => new Map([['key-work', 7]]),
    failed: (message) => {
      failures.push(message);
    },
  });
});
afterAll(() => {
  delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
  delete process.env.OTEL_EXPORTER_OTLP_HEADERS;
});
afterEach(() => receiver.will('take'));

const named = (name: string) => receiver.spans.filter((span) => span.name === name);
const HOST = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';

describe('spans', () => {
  it('The parent of a span is the current span or the named one, recorded or not', async () => {
    let handedOn: string | undefined;

    await telemetry.span('outer', { parent: HOST, attributes: { 'cmk.key': 'a' } }, () =>
      telemetry.span('inner', { isCall: true }, async () => {
        handedOn = telemetry.traceparent();
      }),
    );

    await telemetry.span('elsewhere', { parent: handedOn, link: HOST }, async () => {});

    expect(telemetry.traceparent()).toBeUndefined();

    const [outer, inner, elsewhere] = await eventually('three spans', () => {
      const found = [...named('outer'), ...named('inner'), ...named('elsewhere')];
      return found.length === 3 && found;
    });
    expect(outer).toMatchObject({ parentSpanId: 'b7ad6b7169203331', kind: 1, attributes: { 'cmk.key': 'a' } });
    expect(inner).toMatchObject({ parentSpanId: outer?.spanId, kind: 3 });
    expect(elsewhere).toMatchObject({ parentSpanId: inner?.spanId, links: 1 });
    expect(new Set([outer, inner, elsewhere].map((span) => span?.traceId))).toEqual(new Set([HOST.slice(3, 35)]));
    expect(receiver.headers['api-key'] ?? 'insights').toMatch(/known|insights/);
  });

  it('A span records the result of its work, and rethrows its error', async () => {
    await telemetry.span(
      'done',
      { since: new Date(Date.now() - 5_000) },
      async () => 'x',
      (result) => ({ result }),
    );

    const broken = telemetry.span('broken', {}, () => Promise.reject(new Error('no')));
    await expect(broken).rejects.toThrow('no');

    await eventually('both', () => named('done').length + named('broken').length === 2);

    expect(named('done')[0]).toMatchObject({ attributes: { result: 'x' }, isError: false });
    expect(named('done')[0]?.ms).toBeGreaterThan(4_900);
    expect(named('broken')[0]).toMatchObject({ isError: true });
  });
});

it('Telemetry sends counters, histograms and gauges, and reads the age of the queues as it sends them', async () => {
  telemetry.measure({ name: 'cmk.accounts.moved', value: 1, attributes: { key: 'a' } });
  telemetry.measure({ name: 'cmk.accounts.moved', value: 1, attributes: { key: 'a' } });
  telemetry.measure({ name: 'cmk.rotation.duration', value: 12.5, attributes: { key: 'a' } });
  telemetry.measure({ name: 'cmk.drift.findings', value: 3, attributes: { code: 'StaleKeyVersion' } });
  await telemetry.flush();

  const point = (name: string) => receiver.points.find((one) => one.name === name);
  expect(point('cmk.accounts.moved')).toMatchObject({ value: 2, attributes: { key: 'a' } });
  expect(point('cmk.rotation.duration')).toMatchObject({ value: 12.5 });
  expect(point('cmk.drift.findings')).toMatchObject({ value: 3, attributes: { code: 'StaleKeyVersion' } });
  expect(point('cmk.queue.age')).toMatchObject({ value: 7, attributes: { queue: 'key-work' } });
});

it('Application Insights gets the same dependencies and metrics, and nothing about the exporter itself', async () => {
  await telemetry.span('for insights', {}, async () => {});
  telemetry.measure({ name: 'cmk.revocations.open', value: 1, attributes: {} });
  await telemetry.flush();

  const data = await eventually('its envelopes', () => {
    const found = receiver.envelopes.map(({ data }) => JSON.stringify(data));
    return (
      found.some((one) => one.includes('for insights')) &&
      found.some((one) => one.includes('cmk.revocations.open')) &&
      found
    );
  });

  expect(data.find((one) => one.includes('for insights'))).toContain('RemoteDependencyData');
  expect(data.find((one) => one.includes('cmk.revocations.open'))).toContain('MetricData');
  expect(data.filter((one) => /Item_|Request_Success_Count|Feature/.test(one))).toEqual([]);
});

describe('the receiver of a trace', () => {
  it('A receiver that rejects a trace is reported', async () => {
    receiver.will('refuse');
    await telemetry.span('refused', {}, async () => {});
    await telemetry.flush();
    expect(failures.join('\n')).toContain('Bad Request');
  });
});
