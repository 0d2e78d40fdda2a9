import {
  type AccountInfo,
  CacheLookupPolicy,
  type IPublicClientApplication,
  PublicClientApplication,
} from '@azure/msal-browser';
import type { PageConfig } from '../../src/api/page/page-config.ts';

export interface Person {
  readonly name: string;
  /** In lower case. */
  readonly objectId: string;
  readonly roles: readonly string[];
}

/** The state of a sign-in. `ended`: Entra ID requires a new sign-in of the same user. */
export type SignIn =
  | { readonly state: 'out'; readonly failure?: string }
  | { readonly state: 'in' | 'ended'; readonly person: Person };

export class SessionEnded extends Error {
  override readonly name = 'SessionEnded';
}

/** The page waits this long for the sign-in window. Milliseconds. */
const PATIENCE_MS = 15 * 60_000;

/**
 * The signed-in user. Tokens are only in memory, so they end with the page. The sign-in has a window of its own, so
 * that the page keeps its content, typed text included.
 */
export class Session {
  readonly #client: IPublicClientApplication;
  readonly #config: PageConfig;
  #account: AccountInfo | undefined;
  #signIn: SignIn = { state: 'out' };
  readonly #listeners = new Set<(signIn: SignIn) => void>();

  private constructor(client: IPublicClientApplication, config: PageConfig) {
    this.#client = client;
    this.#config = config;
  }

  static async start(config: PageConfig): Promise<Session> {
    const client = new PublicClientApplication({
      auth: {
        clientId: config.clientId,
        authority: config.authority,
        knownAuthorities: [new URL(config.authority).host],
        authorityMetadata: JSON.stringify(metadataOf(config)),
        redirectUri: signedInUrl(),
        // Tells the API that the page can answer a claims challenge (`insufficient_claims`).
        clientCapabilities: ['CP1'],
      },
      cache: { cacheLocation: 'memoryStorage' },
      system: {
        loggerOptions: { loggerCallback: () => undefined, piiLoggingEnabled: false },
        popupBridgeTimeout: PATIENCE_MS,
      },
    });

    await client.initialize();
    return new Session(client, config);
  }

  get signedIn(): SignIn {
    return this.#signIn;
  }

  listen(listener: (signIn: SignIn) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Call it from a click, or the browser blocks the window.
   *
   * @param claims additional claims that the API requires, as JSON
   * @returns whether the sign-in succeeded
   */
  async signIn(claims?: string): Promise<boolean> {
    try {
      const result = await this.#client.loginPopup({
        scopes: [this.#config.scope],
        prompt: claims === undefined && this.#account === undefined ? 'select_account' : '',
        overrideInteractionInProgress: true,
        ...(claims === undefined ? {} : { claims }),
        ...(this.#account ? { loginHint: this.#account.username } : {}),
      });

      this.#account = result.account;
      this.#set({ state: 'in', person: personOf(result.account, result.accessToken) });

      return true;
    } catch (error) {
      // The user closed the window and pressed the button again: the later call has the outcome.
      if (codeOf(error) === 'interaction_in_progress_cancelled') return false;
      if (this.#signIn.state !== 'out') throw new Error(wordFailure(error), { cause: error });

      this.#set({ state: 'out', failure: wordFailure(error) });

      return false;
    }
  }

  async signOut(): Promise<void> {
    // Do this first: the browser may cache the page as it is now, and show it to the next user who goes back.
    this.#account = undefined;
    this.#set({ state: 'out' });
    await this.#client.clearCache();
    const { signIn, tenantId } = this.#config;
    // Entra ID returns only to the registered address. That page then goes on to this one.
    const back = new URLSearchParams({ post_logout_redirect_uri: signedInUrl() });
    // Not with MSAL, which has no redirects if tokens are only in memory.
    location.assign(`${signIn}/${tenantId}/oauth2/v2.0/logout?${back}`);
  }

  /**
   * A token for the API.
   *
   * @param person object id, so that a typed call is not sent with the token of another user who has signed in since
   * @param fresh whether to request a new token, because the API did not accept the present one
   * @throws {@link SessionEnded}
   */
  async token(person: string | undefined, fresh = false): Promise<string> {
    const signIn = this.#signIn;
    if (!this.#account || signIn.state !== 'in') throw new SessionEnded('You are not signed in.');
    if (signIn.person.objectId !== person) throw new SessionEnded('Another user has signed in.');

    try {
      // Without a hidden frame: once the refresh token has expired, the page asks the user to sign in.
      const { accessToken } = await this.#client.acquireTokenSilent({
        account: this.#account,
        scopes: [this.#config.scope],
        cacheLookupPolicy: fresh ? CacheLookupPolicy.RefreshToken : CacheLookupPolicy.AccessTokenAndRefreshToken,
      });

      return accessToken;
    } catch (error) {
      this.end();
      throw new SessionEnded('The sign-in has ended.', { cause: error });
    }
  }

  end(): void {
    if (this.#signIn.state === 'in') this.#set({ ...this.#signIn, state: 'ended' });
  }

  #set(signIn: SignIn): void {
    this.#signIn = signIn;
    for (const listener of this.#listeners) listener(signIn);
  }
}

/** The roles decide only what the page offers. The API decides what is allowed. */
function personOf(account: AccountInfo, accessToken: string): Person {
  const payload = (accessToken.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
  const { roles } = JSON.parse(atob(payload)) as { readonly roles?: readonly string[] };
  const objectId = account.localAccountId.toLowerCase();
  return { name: account.username || (account.name ?? ''), objectId, roles: roles ?? [] };
}

/** The address to which the sign-in window returns, the only registered one. */
function signedInUrl(): string {
  return `${location.origin}/page/signed-in.html`;
}

function codeOf(error: unknown): string | undefined {
  return (error as { readonly errorCode?: string }).errorCode;
}

function wordFailure(error: unknown): string {
  const code = codeOf(error);
  if (code === 'popup_window_error' || code === 'empty_window_error') {
    return 'The browser did not open the sign-in window. Allow pop-up windows for this page, and try again.';
  }
  if (code === 'timed_out') return 'The sign-in window timed out after 15 minutes. Sign in again.';
  return error instanceof Error ? error.message : String(error);
}

/** The endpoints of the sign-in service, so that MSAL need not discover them before a user signs in. */
function metadataOf({ signIn, tenantId, issuer }: PageConfig): Record<string, string> {
  const oauth = `${signIn}/${tenantId}/oauth2/v2.0`;
  return {
    authorization_endpoint: `${oauth}/authorize`,
    token_endpoint: `${oauth}/token`,
    end_session_endpoint: `${oauth}/logout`,
    issuer,
    jwks_uri: `${signIn}/${tenantId}/discovery/v2.0/keys`,
  };
}
