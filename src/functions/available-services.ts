import type { InvocationContext } from '@azure/functions';
import { AtMostEvery } from '../errors/at-most-every.ts';
import { SettingsError } from '../errors/errors.ts';
import { createContextLog, type Log } from '../errors/log.ts';
import { createServices, type Services } from '../services.ts';
import { measureLog } from '../telemetry/measurements.ts';
import { createTelemetry } from './create-telemetry.ts';

/** Minimum interval between logs of invalid settings, in milliseconds, so not every invocation logs them. */
const LOGGED_EVERY_MS = 5 * 60_000;

const logged = new AtMostEvery(LOGGED_EVERY_MS);

/** Telemetry of this instance. */
const telemetry = createTelemetry(process.env, () => getServices().queueAges());

/**
 * Returns the log of an invocation. Each record names its function, because the host's own columns depend on the export
 * target (host.json: `telemetryMode`). Metrics are derived from the records.
 */
export function createLogOf(context: Pick<InvocationContext, 'functionName' | 'info' | 'warn' | 'error'>): Log {
  const write = createContextLog(context);
  return measureLog((record) => write({ ...record, function: context.functionName }), telemetry);
}

let shared: Services | undefined;

/**
 * Returns the services of this instance, created on first use. Invalid settings must not fail the load of the app: the
 * host would then report an app without functions and hide the settings' error.
 *
 * @throws {@link SettingsError}
 */
export function getServices(): Services {
  shared ??= createServices(process.env, undefined, undefined, telemetry);
  return shared;
}

/**
 * Returns the services of this instance. Logs invalid settings at most every five minutes.
 *
 * @throws {@link SettingsError}
 */
export function getAvailableServices(log: Log): Services {
  try {
    return getServices();
  } catch (error) {
    if (error instanceof SettingsError && logged.due(error.message, Date.now())) {
      log({ level: 'error', reason: error.reason, message: `${error.message}\n${error.nextStep}` });
    }
    throw error;
  }
}
