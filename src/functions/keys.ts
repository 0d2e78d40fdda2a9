import { app } from '@azure/functions';
import { showKeys } from '../overview/http/keys-api.ts';
import { KeyLister } from '../overview/list-keys.ts';
import { api } from './api.ts';

/** Of this instance. */
const lister = new KeyLister();

app.http('keys', {
  methods: ['GET'],
  route: 'api/keys',
  authLevel: 'anonymous',
  handler: api(
    'CmkKey.Read',
    ({ request, caller, services, log }) => showKeys(request, caller, lister, services, log),
    () => 'read',
    'later',
  ),
});
