import type { Log, LogRecord } from '../errors/log.ts';
import type { Measurement, MetricName, Telemetry } from './telemetry.ts';

/** A log that also derives metrics from its records, so a number has a single source. */
export function measureLog(log: Log, telemetry: Pick<Telemetry, 'measure'>): Log {
  return (record) => {
    log(record);
    for (const measurement of listMeasurements(record)) telemetry.measure(measurement);
  };
}

/** Metrics of a log record. */
export function listMeasurements({ reason, key, mode, operation, ...record }: LogRecord): Measurement[] {
  switch (reason) {
    case 'Moved':
    case 'Refreshed':
      return measure('cmk.accounts.moved', 1, { key, mode });
    case 'RotationFinished':
      return measure('cmk.rotation.duration', record.seconds, { key });
    case 'DriftFoundByEvent':
      return measure('cmk.drift.change.delay', record.seconds, { operation });
    case 'DriftChecked':
      return [
        ...Object.entries(record.findings ?? {}).flatMap(([code, value]) =>
          measure('cmk.drift.findings', value, { code }),
        ),
        ...measure('cmk.revocations.open', record.openRevocations, {}),
      ];
    default:
      return [];
  }
}

/** Returns a measurement with the text attributes; none if the value is not a number. */
function measure(name: MetricName, value: unknown, about: Readonly<Record<string, unknown>>): Measurement[] {
  const texts = Object.entries(about).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return typeof value === 'number' ? [{ name, value, attributes: Object.fromEntries(texts) }] : [];
}
