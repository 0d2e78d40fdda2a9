import type { Cloud } from '../azure/cloud.ts';

/** Authentication settings as raw values, which {@link listAuthConfigProblems} validates. */
export interface AuthConfig {
  readonly cloud: Pick<Cloud, 'name' | 'authorityHost' | 'tokenIssuerV1'>;
  /** Setting CMK_TENANT_ID: GUID of the tenant whose tokens the app accepts. */
  readonly tenantId: string | undefined;
  /** Setting CMK_API_AUDIENCE: client id of the API's app registration, and its App ID URI if v1.0 tokens are used. */
  readonly audiences: readonly string[];
  /** Problems of the other access settings, a line each. */
  readonly problems?: readonly string[];
}

export const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const APP_ID_URI = /^(?:api|https):\/\/[^\s,*]+$/i;

/** Lists the problems of the settings, a line each with the setting's name. Empty: the settings are valid. */
export function listAuthConfigProblems(config: AuthConfig): readonly string[] {
  const problems = [...(config.problems ?? [])];
  const { tenantId } = config;
  if (!tenantId?.trim()) {
    problems.push('CMK_TENANT_ID is missing: the GUID of the Entra ID tenant.');
  } else if (!GUID.test(tenantId)) {
    problems.push(
      'CMK_TENANT_ID is not a GUID: a domain name, "common" or "organizations" would let other tenants in.',
    );
  }

  if (config.audiences.length === 0) {
    problems.push("CMK_API_AUDIENCE is missing: the client id of the API's app registration.");
  }

  for (const audience of config.audiences) {
    if (GUID.test(audience) || APP_ID_URI.test(audience)) continue;
    problems.push(`CMK_API_AUDIENCE: "${audience}" is neither a client id (GUID) nor an App ID URI (api://…).`);
  }

  return problems;
}

/** URL of the tenant's signing keys (`jwks_uri` of its v2.0 discovery document). */
export function getSigningKeysUrl(config: AuthConfig, tenantId: string): URL {
  return new URL(`${config.cloud.authorityHost}/${tenantId}/discovery/v2.0/keys`);
}

/** `iss` of the tenant's tokens by token version. In China it has a newer host name than the sign-in of `az`. */
export function listIssuers(
  config: AuthConfig,
  tenantId: string,
): { readonly [version in '1.0' | '2.0']: readonly string[] } {
  const hosts = [config.cloud.authorityHost];
  if (config.cloud.name === 'AzureChinaCloud') hosts.push('https://login.partner.microsoftonline.cn');
  return {
    '1.0': [`${config.cloud.tokenIssuerV1}/${tenantId}/`],
    '2.0': hosts.map((host) => `${host}/${tenantId}/v2.0`),
  };
}
