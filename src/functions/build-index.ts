import { app } from '@azure/functions';
import { describe, describeFailure } from '../azure/failure.ts';
import { consoleLog } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { Services } from '../services.ts';
import { services } from './available-services.ts';

// Not awaited: the host waits for this hook before it starts a function.
app.hook.appStart(() => {
  let ports: Services;
  try {
    ports = services();
  } catch {
    // Every function reports the settings that are wrong.
    return;
  }
  void buildIndex(ports);
});

async function buildIndex(ports: Services): Promise<void> {
  try {
    await ports.controller.buildIndex();
  } catch (error) {
    const message = `${REASONS.FleetIndexUnavailable} ${describe(describeFailure(error))}`;
    consoleLog({ level: 'warning', reason: 'FleetIndexUnavailable', message });
  }
}
