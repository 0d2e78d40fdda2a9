import { app } from '@azure/functions';
import { buildIndex } from '../accounts/build-index.ts';
import { timeBoxed } from '../azure/deadline.ts';
import { consoleLog } from '../log.ts';
import type { Services } from '../services.ts';
import { services } from './available-services.ts';
import { TIME_LIMITS } from './time-limits.ts';

// The host waits for a hook: what it calls is not awaited, so that no function starts later for it.
app.hook.appStart(() => {
  let ports: Services;
  try {
    ports = services();
  } catch {
    // Every function tells which settings are wrong.
    return;
  }
  void timeBoxed((signal) => buildIndex(ports, consoleLog, signal), TIME_LIMITS.keyWork);
});
