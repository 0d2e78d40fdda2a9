import { render } from 'preact';
import { readConfig } from './config.ts';
import { Session } from './session.ts';

const config = readConfig();
if (config) {
  const session = await Session.start(config);
  const show = () =>
    render(
      <main>
        <p>{JSON.stringify(session.signedIn)}</p>
        <button type="button" onClick={() => void session.signIn()}>
          Sign in
        </button>
      </main>,
      document.querySelector('#app') as HTMLElement,
    );
  session.listen(show);
  show();
}
