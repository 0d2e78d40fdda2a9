import { app } from '@azure/functions';
import { showKeys } from '../views/key-list.ts';
import { api } from './api.ts';
import { withApprovals } from './approvals-beside.ts';
import { keyLister } from './shared-calls.ts';

app.http('keys', {
  methods: ['GET'],
  route: 'api/keys',
  authLevel: 'anonymous',
  handler: api(
    'CmkKey.Read',
    (call) => {
      const { request, caller, services, log } = call;
      const reads = {
        lister: keyLister,
        withApprovals: <T>(answering: Promise<T>) => withApprovals(answering, () => true, call),
      };
      return showKeys(request, caller, reads, services, log);
    },
    () => 'read',
    'later',
  ),
});
