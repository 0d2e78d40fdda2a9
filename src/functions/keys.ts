import { app } from '@azure/functions';
import { showKeys } from '../views/key-list.ts';
import { api } from './api.ts';
import { keyLister } from './snapshots.ts';

app.http('keys', {
  methods: ['GET'],
  route: 'api/keys',
  authLevel: 'anonymous',
  handler: api(
    'CmkKey.Read',
    ({ request, caller, services, log }) => showKeys(request, caller, keyLister, services, log),
    () => 'read',
    'later',
  ),
});
