import { app } from '@azure/functions';
import { messageOf } from '../errors.ts';
import { reachesKey, reachesVault } from '../http/access.ts';
import { showNow } from '../now/now-api.ts';
import type { NowSight } from '../now/now-view.ts';
import { NowBoard } from '../now/read-now.ts';
import { keysAskedFor } from './access-for.ts';
import { type ApiCall, api } from './api.ts';
import { fleetSnapshots, keyLister } from './shared-calls.ts';

/** Of this instance. */
const board = new NowBoard(fleetSnapshots, keyLister);

function sightOf({ caller, services, requireFor, log, correlationId }: ApiCall): NowSight {
  const { access } = services.settings;
  const reaches: NowSight['reaches'] = (key) => reachesKey(caller, 'CmkKey.Read', key, access);
  return {
    reaches,
    reachesVault: (vault) => reachesVault(caller, 'CmkKey.Read', vault, access),
    maySee: (approval) => keysAskedFor(approval).every(reaches),
    requireFleet: () => requireFor({ role: 'CmkKey.Read', act: 'read', key: undefined }),
    correlationId,
    onUnexpected: (error) =>
      log({ level: 'error', reason: 'Unexpected', message: messageOf(error), call: 'now', correlationId }),
  };
}

app.http('now', {
  methods: ['GET'],
  route: 'api/now',
  authLevel: 'anonymous',
  handler: api(
    'CmkKey.Read',
    (call) => showNow(call.request, sightOf(call), board.taker(call.services, call.log)),
    () => 'read',
    'later',
  ),
});
