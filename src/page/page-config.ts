import { type AuthConfig, authConfigProblems, GUID, issuers } from '../http/auth-config.ts';
import type { Settings } from '../settings/settings.ts';

/** What a browser has to know to sign a user in. Nothing of it is secret. */
export interface PageConfig {
  readonly tenantId: string;
  /** Client id of the API's app registration, which is the page's own too. */
  readonly clientId: string;
  /** `https://login.microsoftonline.com/<tenant>` */
  readonly authority: string;
  /** Origin of the sign-in service as browsers reach it. */
  readonly signIn: string;
  /** Issuer of the tenant's tokens. */
  readonly issuer: string;
  readonly scope: string;
}

/** Undefined when the settings of who may call are missing or wrong: then the API refuses every call. */
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
    // A registration that asks for a token for itself has to be named by its client id (AADSTS90009).
    scope: `${clientId}/access_as_user`,
  };
}
