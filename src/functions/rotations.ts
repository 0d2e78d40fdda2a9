import { app } from '@azure/functions';
import { keyOfCall } from '../break-glass/key-of-route.ts';
import { showRotation, showRotations } from '../views/rotation.ts';
import { api } from './api.ts';

app.http('rotations', {
  methods: ['GET'],
  route: 'api/rotations',
  authLevel: 'anonymous',
  handler: api('CmkKey.Read', ({ request, services, log }) => showRotations(request.query, services, log)),
});

app.http('rotation', {
  methods: ['GET'],
  route: 'api/rotations/{vault}/{key}',
  authLevel: 'anonymous',
  handler: api('CmkKey.Read', async ({ request, services, log }) => {
    const key = keyOfCall(services.settings.vaults, request.params.vault, request.params.key);
    return showRotation(key, services, log);
  }),
});
