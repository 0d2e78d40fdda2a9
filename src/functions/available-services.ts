import type { InvocationContext } from '@azure/functions';
import { SettingsError } from '../errors.ts';
import { contextLog, type Log } from '../log.ts';
import { createServices, type Services } from '../services.ts';
import { measured } from '../telemetry/measurements.ts';
import { AtMostEvery } from '../work/at-most-every.ts';
import { createTelemetry } from './create-telemetry.ts';

/** Every message, event and timer would say the same. Milliseconds. */
const SAID_EVERY_MS = 5 * 60_000;

const said = new AtMostEvery(SAID_EVERY_MS);

/** Of this instance. */
const telemetry = createTelemetry(process.env, () => services().queueAges());

/**
 * The log of one run of a function: each record says of which, as the host's own columns depend on where it sends them
 * (host.json: `telemetryMode`). What the records count is measured.
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
 * The same; settings that are wrong are recorded once in a while, not each time.
 *
 * @throws {@link SettingsError}
 */
export function availableServices(log: Log): Services {
  try {
    return services();
  } catch (error) {
    if (error instanceof SettingsError && said.due(error.message, Date.now())) {
      log({ level: 'error', reason: error.reason, message: `${error.message}\n${error.nextStep}` });
    }
    throw error;
  }
}
