import type { Log, LogRecord } from '../log.ts';
import type { Measurement, Telemetry } from './telemetry.ts';

/** A log that also derives metrics from its records, so a number has a single source. */
export function measured(log: Log, telemetry: Pick<Telemetry, 'measure'>): Log {
  return (record) => {
    log(record);
    for (const measurement of measurementsOf(record)) telemetry.measure(measurement);
  };
}

/** Metrics of a log record. */
export function measurementsOf(record: LogRecord): Measurement[] {
  switch (record.reason) {
    case 'Moved':
    case 'Refreshed':
      return [{ name: 'cmk.accounts.moved', value: 1, attributes: texts({ key: record.key, mode: record.mode }) }];
    case 'RotationFinished':
      return typeof record.seconds === 'number'
        ? [{ name: 'cmk.rotation.duration', value: record.seconds, attributes: texts({ key: record.key }) }]
        : [];
    case 'DriftFoundByEvent':
      return typeof record.seconds === 'number'
        ? [
            {
              name: 'cmk.drift.change.delay',
              value: record.seconds,
              attributes: texts({ operation: record.operation }),
            },
          ]
        : [];
    case 'DriftChecked':
      return [
        ...Object.entries(numbers(record.findings)).map(
          ([code, value]): Measurement => ({ name: 'cmk.drift.findings', value, attributes: { code } }),
        ),
        ...(typeof record.openRevocations === 'number'
          ? [{ name: 'cmk.revocations.open', value: record.openRevocations, attributes: {} } as const]
          : []),
      ];
    default:
      return [];
  }
}

function texts(fields: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

function numbers(value: unknown): Record<string, number> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
  );
}
