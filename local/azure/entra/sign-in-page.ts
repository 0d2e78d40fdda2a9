import { html } from 'hono/html';
import type { Principal } from '../world.ts';

const ROLE_WORDS: Readonly<Record<string, string>> = {
  'CmkKey.Read': 'look',
  'CmkKey.Revoke': 'revoke',
  'CmkKey.Restore': 'restore',
  'Cmk.Operate': 'operate',
};

/** The page may only show itself and send its form, which returns to the page that started the sign-in. */
export const SIGN_IN_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'";

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0; display: grid; place-items: center; min-height: 100vh; background: light-dark(#f2f4f7, #14181d); }
main { box-sizing: border-box; width: min(26rem, 100vw - 2rem); padding: 1.75rem; border-radius: 8px;
  background: light-dark(#fff, #1e242b); border: 1px solid light-dark(#d5dbe2, #39424d); }
h1 { font-size: 1.25rem; margin: 0; }
p { margin: .25rem 0 1rem; color: light-dark(#4a5561, #b3bcc7); }
button { display: flex; justify-content: space-between; gap: 1rem; width: 100%; margin: .4rem 0; padding: .7rem .9rem;
  font: inherit; text-align: left; cursor: pointer; border-radius: 6px; color: inherit; background: none;
  border: 1px solid light-dark(#8a95a3, #66717f); }
button:hover, button:focus-visible { border-color: light-dark(#1d5fa8, #7db4f0); outline: 2px solid light-dark(#1d5fa8, #7db4f0); }
small { color: light-dark(#4a5561, #b3bcc7); }
`;

/** The page on which a user chooses a sign-in. It has no password: every user of this machine may sign in. */
export function chooseAccount(action: string, people: readonly Principal[]) {
  return page(
    'Sign in',
    html`<p>The local tenant. Choose a person; there is no password.</p>
      <form method="post" action="${action}">
        ${people.map(
          ({ clientId, displayName, appRoles }) =>
            html`<button name="person" value="${clientId}">
              <span>${displayName}</span><small>${rolesOf(appRoles)}</small>
            </button>`,
        )}
      </form>`,
  );
}

export function signInRefused(why: string) {
  return page('Sign-in failed', html`<p role="alert">${why}</p>`);
}

export function signedOut() {
  return page('Signed out', html`<p>You are signed out of the local tenant.</p>`);
}

function page(title: string, content: ReturnType<typeof html>) {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>${title} · local tenant</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <link rel="icon" href="data:," />
        <style>
          ${STYLE}
        </style>
      </head>
      <body>
        <main>
          <h1>${title}</h1>
          ${content}
        </main>
      </body>
    </html>`;
}

function rolesOf(roles: readonly string[]): string {
  return roles.length === 0 ? 'no role' : roles.map((role) => ROLE_WORDS[role] ?? role).join(', ');
}
