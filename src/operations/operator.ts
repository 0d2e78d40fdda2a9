import { decodeJwt } from 'jose';
import type { TokenCredential } from '../azure/credential.ts';
import { CmkError } from '../errors.ts';

/** The signed-in person or service principal. */
export interface Operator {
  /** `oid`: the person or service principal, for good. It goes into the record of a revocation. */
  readonly objectId: string;
  readonly tenantId: string;
  readonly kind: 'User' | 'ServicePrincipal';
  /** To be shown to people. */
  readonly name: string;
}

/**
 * Reads who is signed in from an access token. It is read, not checked: the service that it is for checks it.
 *
 * @throws the credential's error when there is no sign-in
 */
export async function readOperator(credential: TokenCredential, scope: string): Promise<Operator> {
  const token = await credential.getToken(scope);
  const claims = token ? decodeJwt(token.token) : {};
  const text = (name: string): string | undefined => {
    const value = claims[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const objectId = text('oid');
  const tenantId = text('tid');
  if (!objectId || !tenantId) {
    throw new CmkError(
      'SignInNeeded',
      'The sign-in names neither person nor service principal.',
      'Sign in with `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.',
    );
  }
  const person = text('upn') ?? text('unique_name') ?? text('preferred_username');
  const isUser = text('idtyp') === 'user' || text('scp') !== undefined || person !== undefined;
  return {
    objectId: objectId.toLowerCase(),
    tenantId: tenantId.toLowerCase(),
    kind: isUser ? 'User' : 'ServicePrincipal',
    name: person ?? text('app_displayname') ?? text('name') ?? text('appid') ?? text('azp') ?? objectId,
  };
}
