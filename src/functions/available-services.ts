import type { InvocationContext } from '@azure/functions';
import { SettingsError } from '../errors.ts';
import { contextLog, type Log } from '../log.ts';
import { createServices, type Services } from '../services.ts';
import { measured } from '../telemetry/measurements.ts';
import { AtMostEvery } from '../work/at-most-every.ts';
import { createTelemetry } from './create-telemetry.ts';

/** Wrong settings are logged this often, not for each message, event and timer. Milliseconds. */
const LOGGED_EVERY_MS = 5 * 60_000;

const logged = new AtMostEvery(LOGGED_EVERY_MS);

/** Of this instance. */
const telemetry = createTelemetry(process.env, () => services().queueAges());

/**
 * The log of one invocation. Each record names its function, since the host's own columns depend on where it sends them
 * (host.json: `telemetryMode`). Metrics are made from the records.
 */
export function logOf(context: Pick<InvocationContext, 'functionName' | 'info' | 'warn' | 'error'>): Log {
  const write = contextLog(context);
  return measured((record) => write({ ...record, function: context.functionName }), telemetry);
}

let shared: Services | undefined;

/**
 * The services of this instance, made when the first function needs them. Settings that are wrong must not fail the load
 * of the app: the host would then report an app without functions and say nothing of the settings.
 *
 * @throws {@link SettingsError}
 */
export function services(): Services {
  shared ??= createServices(process.env, undefined, undefined, telemetry);
  return shared;
}

/**
 * The services of this instance; logs settings that are wrong, at most every five minutes.
 *
 * @throws {@link SettingsError}
 */
export function availableServices(log: Log): Services {
  try {
    return services();
  } catch (error) {
    if (error instanceof SettingsError && logged.due(error.message, Date.now())) {
      log({ level: 'error', reason: error.reason, message: `${error.message}\n${error.nextStep}` });
    }
    throw error;
  }
}
