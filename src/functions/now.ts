import { app } from '@azure/functions';
import { reachesKey, reachesVault } from '../http/access.ts';
import { type NowSight, showNow } from '../views/now.ts';
import { type ApiCall, api } from './api.ts';
import { tellingOf } from './part-telling.ts';
import { nowBoard } from './snapshots.ts';

function sightOf(call: ApiCall): NowSight {
  const { caller, services, requireFor } = call;
  const { access } = services.settings;
  return {
    ...tellingOf(call),
    now: services.now(),
    reaches: (key) => reachesKey(caller, 'CmkKey.Read', key, access),
    reachesVault: (vault) => reachesVault(caller, 'CmkKey.Read', vault, access),
    requireFleet: () => requireFor({ role: 'CmkKey.Read', act: 'read', key: undefined }),
  };
}

app.http('now', {
  methods: ['GET'],
  route: 'api/now',
  authLevel: 'anonymous',
  handler: api(
    'CmkKey.Read',
    (call) => showNow(call.request, sightOf(call), nowBoard.takers(call.services, call.log)),
    () => 'read',
    'later',
  ),
});
