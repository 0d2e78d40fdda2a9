import { type AuthConfig, authConfigProblems, GUID, issuers } from '../http/auth-config.ts';
import type { Settings } from '../settings/settings.ts';

export interface PageConfig {
  readonly tenantId: string;
  /** Client id of the API's app registration, which the page shares. */
  readonly clientId: string;
  /** `https://login.microsoftonline.com/<tenant>` */
  readonly authority: string;
  /** Origin of the sign-in service as browsers reach it. */
  readonly signIn: string;
  readonly issuer: string;
  readonly scope: string;
}

/** Undefined when access settings are missing or invalid: the API then rejects every call. */
export function pageConfig({ auth, cloud, page }: Pick<Settings, 'auth' | 'cloud' | 'page'>): PageConfig | undefined {
  const config: AuthConfig = { cloud, ...auth };
  const clientId = auth.audiences.find((audience) => GUID.test(audience));
  const tenantId = auth.tenantId?.trim();
  if (authConfigProblems(config).length > 0 || clientId === undefined || !tenantId) return undefined;
  return {
    tenantId,
    clientId,
    authority: `${cloud.authorityHost}/${tenantId}`,
    signIn: page.signIn ?? cloud.authorityHost,
    issuer: issuers(config, tenantId)['2.0'][0] ?? '',
    // Entra ID requires the client id for a registration that requests a token for itself (AADSTS90009).
    scope: `${clientId}/access_as_user`,
  };
}
