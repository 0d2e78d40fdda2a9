import { app } from '@azure/functions';
import { showRecord, showTrail, showVerification } from '../audit/http/audit-api.ts';
import { TrailProof } from '../audit/prove-trail.ts';
import { api } from './api.ts';
import { tellingOf } from './part-telling.ts';

/** Of this instance. */
const proof = new TrailProof();

app.http('audit', {
  methods: ['GET'],
  route: 'api/audit/{id?}',
  authLevel: 'anonymous',
  handler: api(
    'CmkKey.Read',
    (call) => {
      const { request, caller, services } = call;
      const { id } = request.params;
      if (id === undefined) return showTrail(request, { caller, proof, telling: tellingOf(call) }, services);
      if (id === 'verification') return showVerification(request.headers, proof, services);
      return showRecord(id, caller, services);
    },
    () => 'read',
    'later',
  ),
});
