import type { AppControl } from '../azure/app-control.ts';
import type { AppInstances } from './app-instances.ts';
import type { Child } from './child-process.ts';

/** The app's instances and its storage, for the local Azure. The app's clock moves before that of its storage. */
export function appControl(app: AppInstances, storage: Child): AppControl {
  return {
    instances: async () => app.list(),
    order: (order) => app.order(order),
    moveClock: async (offsetMs) => {
      await app.moveClock(offsetMs);
      await storage.moveClock(offsetMs);
    },
  };
}
