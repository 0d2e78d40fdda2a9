import { render } from 'preact';
import { App } from './app.tsx';
import { readConfig } from './config.ts';
import { Session } from './session.ts';

const root = document.querySelector<HTMLElement>('#app');
const config = readConfig();
if (root && config) render(<App session={await Session.start(config)} />, root);
else if (root) render(<NotSetUp />, root);

function NotSetUp() {
  return (
    <main class="alone">
      <h1>cmk-autopilot</h1>
      <p role="alert">
        Sign-in is not possible: the app settings CMK_TENANT_ID and CMK_API_AUDIENCE are missing or wrong, so the API
        rejects every call. Ask the app&apos;s operator to look for SettingsInvalid in the log.
      </p>
    </main>
  );
}
