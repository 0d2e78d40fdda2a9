import { type AuthConfig, GUID, listAuthConfigProblems, listIssuers } from '../../http/auth-config.ts';
import type { Settings } from '../../settings/settings.ts';

export type PageConfig = NonNullable<ReturnType<typeof createPageConfig>>;

/** Undefined when access settings are missing or invalid: the API then rejects every call. */
export function createPageConfig({ auth, cloud, page }: Pick<Settings, 'auth' | 'cloud' | 'page'>) {
  const config: AuthConfig = { cloud, ...auth };

  // The page shares the app registration of the API.
  const clientId = auth.audiences.find((audience) => GUID.test(audience));
  const tenantId = auth.tenantId?.trim();
  if (listAuthConfigProblems(config).length > 0 || clientId === undefined || !tenantId) return undefined;

  return {
    tenantId,
    clientId,
    authority: `${cloud.authorityHost}/${tenantId}`,
    /** Origin of the sign-in service as browsers reach it. */
    signIn: page.signIn ?? cloud.authorityHost,
    issuer: listIssuers(config, tenantId)['2.0'][0] ?? '',
    // Entra ID requires the client id for a registration that requests a token for itself (AADSTS90009).
    scope: `${clientId}/access_as_user`,
  };
}
