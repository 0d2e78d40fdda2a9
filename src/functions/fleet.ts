import { app } from '@azure/functions';
import { reachesKey } from '../http/access.ts';
import { partView } from '../http/part.ts';
import { type FleetCall, showFleet, showFleetAccount } from '../views/fleet-api.ts';
import { AccountHistories } from './account-histories.ts';
import { type ApiCall, api } from './api.ts';
import { tellingOf } from './part-telling.ts';
import { fleetSnapshots } from './snapshots.ts';

/** Of this instance. */
const histories = new AccountHistories();

function callOf({ request, caller, services }: ApiCall): FleetCall {
  const { access } = services.settings;
  return {
    headers: request.headers,
    reaches: (key) => reachesKey(caller, 'CmkKey.Read', key, access),
    snapshots: fleetSnapshots,
  };
}

app.http('fleet', {
  methods: ['GET'],
  route: 'api/fleet',
  authLevel: 'anonymous',
  handler: api(
    'CmkKey.Read',
    // Not `request.query`: the host joins the values of a parameter that is there twice, by a comma that a tag may have too.
    (call) => showFleet(new URL(call.request.url).searchParams, callOf(call), call.services),
    () => 'read',
    'later',
  ),
});

app.http('fleetAccount', {
  methods: ['GET'],
  route: 'api/fleet/{account}',
  authLevel: 'anonymous',
  handler: api(
    'CmkKey.Read',
    (call) =>
      showFleetAccount(
        call.request.params.account ?? '',
        async (account) => partView(await histories.take(account, call), (records) => [...records], tellingOf(call)),
        callOf(call),
        call.services,
      ),
    () => 'read',
    'later',
  ),
});
