import { app } from '@azure/functions';
import { buildIndex } from '../accounts/build-index.ts';
import { timeBoxed } from '../azure/deadline.ts';
import { consoleLog } from '../log.ts';
import type { Services } from '../services.ts';
import { services } from './available-services.ts';
import { TIME_LIMITS } from './time-limits.ts';

// Not awaited: the host waits for this hook before it starts a function.
app.hook.appStart(() => {
  let ports: Services;
  try {
    ports = services();
  } catch {
    // Every function reports the settings that are wrong.
    return;
  }
  void timeBoxed((signal) => buildIndex(ports, consoleLog, signal), TIME_LIMITS.keyWork);
});
