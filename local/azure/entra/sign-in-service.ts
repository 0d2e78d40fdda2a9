import { randomBytes } from 'node:crypto';
import { type Context, Hono } from 'hono';
import { getSignedCookie, setSignedCookie } from 'hono/cookie';
import type { ServiceEnv } from '../service.ts';
import type { Principal, World } from '../world.ts';
import { type Authorization, answerTo, isRegistered, readAuthorization } from './code-grants.ts';
import type { Grants } from './grants.ts';
import { chooseAccount, SIGN_IN_POLICY, signedOut, signInRefused } from './sign-in-page.ts';

/** Cookie of the user who is signed in, so that a second sign-in asks nothing. */
const SESSION = 'local-sign-in';

/** The part of Entra ID that a browser sees: `/authorize`, the choice of a sign-in, `/logout`. */
export function createSignInService(world: World, grants: Grants): Hono<ServiceEnv> {
  const app = new Hono<ServiceEnv>();
  const secret = randomBytes(24).toString('hex');
  const people = (): readonly Principal[] =>
    [...world.principals.values()].filter(({ kind, displayName }) => kind === 'user' && displayName !== 'owner-user');

  app.use('/:tenant/oauth2/v2.0/*', async (c, next) => {
    await next();
    c.header('content-security-policy', SIGN_IN_POLICY);
    c.header('cache-control', 'no-store');
    c.header('referrer-policy', 'no-referrer');
  });

  app.get('/:tenant/oauth2/v2.0/authorize', async (c) => {
    const asked = readAuthorization(queryOf(c));
    if (typeof asked === 'string') return c.html(signInRefused(asked), 400);

    const current = await getSignedCookie(c, secret, SESSION);
    const user = people().find(({ clientId }) => clientId === current);
    if (asked.prompt === 'none' && !user) {
      const error_description = 'AADSTS50058: A silent sign-in request was sent but no user is signed in.';
      return c.redirect(answerTo(asked, { error: 'login_required', error_description }));
    }

    if (user && (asked.prompt === '' || asked.prompt === 'none')) return c.redirect(signedIn(asked, user));

    return c.html(chooseAccount(c.req.url.replace(/^https?:\/\/[^/]+/, ''), people()));
  });

  app.post('/:tenant/oauth2/v2.0/authorize', async (c) => {
    const asked = readAuthorization(queryOf(c));
    const person = new URLSearchParams(await c.req.text()).get('person');
    const user = people().find(({ clientId }) => clientId === person);
    if (typeof asked === 'string' || !user) {
      return c.html(signInRefused(typeof asked === 'string' ? asked : 'There is no such person.'), 400);
    }
    await setSignedCookie(c, SESSION, user.clientId, secret, { httpOnly: true, sameSite: 'Lax', path: '/' });
    return c.redirect(signedIn(asked, user));
  });

  app.get('/:tenant/oauth2/v2.0/logout', async (c) => {
    await setSignedCookie(c, SESSION, '', secret, { httpOnly: true, sameSite: 'Lax', path: '/', maxAge: 0 });
    const back = c.req.query('post_logout_redirect_uri') ?? '';
    return isRegistered(back) ? c.redirect(back) : c.html(signedOut());
  });

  const signedIn = (asked: Authorization, user: Principal): string =>
    answerTo(asked, { code: grants.code(asked, user), client_info: grants.clientInfo(user), session_state: 'local' });

  return app;
}

const queryOf = (c: Context): URLSearchParams => new URL(c.req.url).searchParams;
