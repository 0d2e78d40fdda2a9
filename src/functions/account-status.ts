import { app } from '@azure/functions';
import { accountOfCall, noSuchAccount, revocableOfCall } from '../break-glass/account-of-call.ts';
import { accountShares } from '../break-glass/account-shares.ts';
import { accountStatus, lookAtAccount } from '../break-glass/account-status.ts';
import { isOfAccount } from '../break-glass/handle-account-approval.ts';
import { type RouteKey, reachesKey } from '../http/access.ts';
import { conditional } from '../http/etag.ts';
import { jsonResponse } from '../http/json-response.ts';
import { partContent } from '../http/part.ts';
import { api } from './api.ts';
import { withApprovals } from './approvals-beside.ts';
import { flag } from './flag.ts';

app.http('accountStatus', {
  methods: ['GET'],
  route: 'api/accounts/{name}',
  authLevel: 'anonymous',
  handler: api(
    'CmkKey.Read',
    async (call) => {
      const { request, caller, services, requireOn } = call;
      const withShares = flag(request.query, 'shares');
      const look = await lookAtAccount(await accountOfCall(request.params.name, services), services);
      // Of an account whose scopes alone use a managed key: that of what is revoked.
      const [first] = look.open;
      const key = look.key ?? (first && (await revocableOfCall(look.account, first.part, services)).key);
      if (!key) throw noSuchAccount();
      requireOn({ vault: key.vault.name, key: key.name });
      const reaches = (other: RouteKey) => reachesKey(caller, 'CmkKey.Read', other, services.settings.access);
      const { answer, approvals } = await withApprovals(
        Promise.all([
          accountStatus(look, reaches, services),
          withShares ? accountShares(look.account, look.key, services) : undefined,
        ]),
        (asked) => isOfAccount(asked) && asked.account.toLowerCase() === look.account.id.toLowerCase(),
        call,
      );
      const [revoked, below] = answer;
      const status = { ...revoked, ...below, warnings: [...revoked.warnings, ...(below?.warnings ?? [])] };
      const content = [status, partContent(approvals)];
      return conditional(request.headers, jsonResponse(200, { ...status, approvals }), content);
    },
    () => 'read',
    'later',
  ),
});
