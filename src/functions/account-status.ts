import { app } from '@azure/functions';
import { accountOfCall, noSuchAccount, revocableOfCall } from '../break-glass/account-of-call.ts';
import { accountShares } from '../break-glass/account-shares.ts';
import { accountStatus, lookAtAccount } from '../break-glass/account-status.ts';
import { type RouteKey, reachesKey } from '../http/access.ts';
import { conditional } from '../http/etag.ts';
import { jsonResponse } from '../http/json-response.ts';
import { api } from './api.ts';
import { flag } from './flag.ts';

app.http('accountStatus', {
  methods: ['GET'],
  route: 'api/accounts/{name}',
  authLevel: 'anonymous',
  handler: api(
    'CmkKey.Read',
    async ({ request, caller, services, requireOn }) => {
      const withShares = flag(request.query, 'shares');
      const look = await lookAtAccount(await accountOfCall(request.params.name, services), services);
      // Of an account whose scopes alone use a managed key: that of what is revoked.
      const [first] = look.open;
      const key = look.key ?? (first && (await revocableOfCall(look.account, first.part, services)).key);
      if (!key) throw noSuchAccount();
      requireOn({ vault: key.vault.name, key: key.name });
      const reaches = (other: RouteKey) => reachesKey(caller, 'CmkKey.Read', other, services.settings.access);
      const [revoked, below] = await Promise.all([
        accountStatus(look, reaches, services),
        withShares ? accountShares(look.account, look.key, services) : undefined,
      ]);
      const status = { ...revoked, ...below, warnings: [...revoked.warnings, ...(below?.warnings ?? [])] };
      return conditional(request.headers, jsonResponse(200, status), status);
    },
    () => 'read',
    'later',
  ),
});
