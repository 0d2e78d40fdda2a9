import { SettingsError } from '../errors.ts';
import type { Log } from '../log.ts';
import { type Services, services } from '../services.ts';
import { AtMostEvery } from '../work/at-most-every.ts';

/** Every message, event and timer would say the same. Milliseconds. */
const SAID_EVERY_MS = 5 * 60_000;

const said = new AtMostEvery(SAID_EVERY_MS);

/**
 * The services of this instance. Settings that are wrong are recorded once in a while, not each time.
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
