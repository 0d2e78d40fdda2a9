import { describe, expect, it } from 'vitest';
import type { LogRecord } from '../../src/errors/log.ts';
import { createLazyTelemetry, createTelemetry } from '../../src/functions/create-telemetry.ts';
import { listMeasurements, measureLog } from '../../src/telemetry/measurements.ts';
import { formatTraceparent, type Measurement, NO_TELEMETRY, parseTraceparent } from '../../src/telemetry/telemetry.ts';
import { PARSERS } from '../../src/work/messages.ts';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const record = (fields: Partial<LogRecord> & Pick<LogRecord, 'reason'>): LogRecord => ({
  level: 'info',
  message: '',
  ...fields,
});

describe('telemetry', () => {
  it.each([
    ['no destination', {}],
    ['an empty setting', { APPLICATIONINSIGHTS_CONNECTION_STRING: '', OTEL_EXPORTER_OTLP_ENDPOINT: '' }],
    ['OTEL_SDK_DISABLED', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318', OTEL_SDK_DISABLED: 'TRUE' }],
  ])('Telemetry is off with %s', (_, environment) => {
    expect(createTelemetry(environment, async () => new Map())).toBe(NO_TELEMETRY);
  });

  it('Telemetry is loaded at its first use, and once', async () => {
    let loads = 0;
    const lazy = createLazyTelemetry(
      async () => {
        loads += 1;
        return { ...NO_TELEMETRY, traceparent: () => TRACEPARENT };
      },
      () => {},
    );

    expect(lazy.traceparent()).toBeUndefined();
    expect(loads).toBe(0);

    await Promise.all([lazy.ready(), lazy.ready()]);

    expect(lazy.traceparent()).toBe(TRACEPARENT);
    expect(loads).toBe(1);
  });

  it('Telemetry that cannot be loaded is reported once, and stops no work', async () => {
    const failures: unknown[] = [];
    const lazy = createLazyTelemetry(
      () => Promise.reject(new Error('no file')),
      (error) => {
        failures.push(error);
      },
    );

    await lazy.ready();
    await lazy.ready();

    expect(failures).toEqual([new Error('no file')]);
    expect(await lazy.span('any', {}, async () => 7)).toBe(7);
  });

  it('Telemetry that hangs while it loads or flushes delays work by seconds at most', async () => {
    const hanging = new Promise<never>(() => {});
    const began = performance.now();
    const loading = createLazyTelemetry(
      () => hanging,
      () => {},
    );
    const loaded = createLazyTelemetry(
      async () => ({ ...NO_TELEMETRY, flush: () => hanging }),
      () => {},
    );

    await loaded.ready();
    await Promise.all([loading.ready(), loaded.flush()]);

    expect(performance.now() - began).toBeLessThan(20_000);
  });
});

describe('a record of the log', () => {
  it.each<[Partial<LogRecord> & Pick<LogRecord, 'reason'>, Measurement[]]>([
    [
      { reason: 'Moved', key: 'k', mode: 'pinned', account: 'a' },
      [{ name: 'cmk.accounts.moved', value: 1, attributes: { key: 'k', mode: 'pinned' } }],
    ],
    [{ reason: 'Refreshed', key: 'k' }, [{ name: 'cmk.accounts.moved', value: 1, attributes: { key: 'k' } }]],
    [
      { reason: 'RotationFinished', key: 'k', seconds: 5.5 },
      [{ name: 'cmk.rotation.duration', value: 5.5, attributes: { key: 'k' } }],
    ],
    [{ reason: 'RotationFinished', key: 'k' }, []],
    [
      { reason: 'DriftChecked', findings: { StaleKeyVersion: 2 }, openRevocations: 0 },
      [
        { name: 'cmk.drift.findings', value: 2, attributes: { code: 'StaleKeyVersion' } },
        { name: 'cmk.revocations.open', value: 0, attributes: {} },
      ],
    ],
    [{ reason: 'DriftChecked', findings: 'none' }, []],
    [{ reason: 'UpToDate', key: 'k' }, []],
  ])('The log record %o yields its measurements', (said, measurements) => {
    expect(listMeasurements(record(said))).toEqual(measurements);
  });

  it('A log record is written unchanged before it is measured', () => {
    const written: unknown[] = [];
    const log = measureLog(
      (said) => {
        written.push(said);
      },
      {
        measure: (one) => {
          written.push(one.name);
        },
      },
    );

    const moved = record({ reason: 'Moved', key: 'k' });
    log(moved);

    expect(written).toEqual([moved, 'cmk.accounts.moved']);
  });
});

describe('the trace context of a message', () => {
  const message = {
    kind: 'key',
    key: 'https://kv.vault.azure.net/keys/k',
    cause: { by: 'drift', ref: '1', since: '' },
  };

  it('A message keeps its trace context', () => {
    expect(PARSERS['key-work']({ ...message, traceparent: TRACEPARENT }).traceparent).toBe(TRACEPARENT);
    expect(formatTraceparent(parseTraceparent(TRACEPARENT) ?? { traceId: '', spanId: '' })).toBe(TRACEPARENT);
  });

  it('A message without a trace context is valid', () => {
    expect(PARSERS['key-work'](message).traceparent).toBeUndefined();
    expect(parseTraceparent(undefined)).toBeUndefined();
  });

  it.each([
    'rubbish',
    7,
    TRACEPARENT.toUpperCase(),
    `ff${TRACEPARENT.slice(2)}`,
    TRACEPARENT.replace(/-b7.*-/, '-0000000000000000-'),
  ])('A message with a malformed trace context (%s) is valid', (traceparent) => {
    expect(PARSERS['key-work']({ ...message, traceparent }).traceparent).toBeUndefined();
  });
});
