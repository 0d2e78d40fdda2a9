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

/** Where a sign-in stands. `ended`: it was one, and Entra ID wants to see the person again. */
export type SignIn =
  | { readonly state: 'out'; readonly failure?: string }
  | { readonly state: 'in' | 'ended'; readonly person: Person };

export class SessionEnded extends Error {
  override readonly name = 'SessionEnded';
}

/** A person has this long to sign in before the page gives up waiting for it. Milliseconds. */
const PATIENCE_MS = 15 * 60_000;

/**
 * Who is signed in. Tokens are held in memory and nowhere else: they are gone with the page. The sign-in goes on in a
 * window of its own, so that what is on the page, typed words included, stays as it is.
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
        // A wish of the API for a further proof of identity (`insufficient_claims`) is understood.
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
   * Has to be called from a click, or the browser keeps the window shut.
   *
   * @param claims what the API asks for on top, as JSON
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
      // Its window was closed, and the button pressed again: the later one has the outcome.
      if (codeOf(error) === 'interaction_in_progress_cancelled') return false;
      if (this.#signIn.state !== 'out') throw new Error(wordFailure(error), { cause: error });

      this.#set({ state: 'out', failure: wordFailure(error) });

      return false;
    }
  }

  async signOut(): Promise<void> {
    // First: the browser may cache this page as it is now and show it to the next user who goes back.
    this.#account = undefined;
    this.#set({ state: 'out' });
    await this.#client.clearCache();
    const { signIn, tenantId } = this.#config;
    // Entra ID leads back to what is registered alone; that page goes on to this one.
    const back = new URLSearchParams({ post_logout_redirect_uri: signedInUrl() });
    // Not by the library: it has no redirects where tokens are in memory alone.
    location.assign(`${signIn}/${tenantId}/oauth2/v2.0/logout?${back}`);
  }

  /**
   * A token for the API.
   *
   * @param person object id: what one has typed is not sent in the name of another, who has signed in since
   * @param fresh whether one is wanted that was just given, as the API did not take the other
   * @throws {@link SessionEnded}
   */
  async token(person: string | undefined, fresh = false): Promise<string> {
    const signIn = this.#signIn;
    if (!this.#account || signIn.state !== 'in') throw new SessionEnded('You are not signed in.');
    if (signIn.person.objectId !== person) throw new SessionEnded('Another user has signed in.');

    try {
      // Never by a hidden frame: where the refresh token is over, the person is asked.
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

/** What a person may do decides what is offered here; what is allowed is the API's to decide. */
function personOf(account: AccountInfo, accessToken: string): Person {
  const payload = (accessToken.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
  const { roles } = JSON.parse(atob(payload)) as { readonly roles?: readonly string[] };
  const objectId = account.localAccountId.toLowerCase();
  return { name: account.username || (account.name ?? ''), objectId, roles: roles ?? [] };
}

/** Where the sign-in window comes back to; the one address that is registered. */
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
