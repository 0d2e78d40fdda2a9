import { Component, type ComponentChildren } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { Api } from './api/client.ts';
import { ApiContext, forgetAll, useApi } from './api/use-poll.ts';
import { PersonContext } from './person.ts';
import { href, type Route, useRoute } from './route.ts';
import type { Person, Session, SignIn } from './session.ts';
import { SessionContext } from './session-context.ts';
import { Heading } from './ui/heading.tsx';
import { Icon } from './ui/icon.tsx';
import { AccountView } from './views/account.tsx';
import { AuditView } from './views/audit.tsx';
import { AuditRecordView } from './views/audit-record.tsx';
import { BreakGlassView } from './views/break-glass/break-glass.tsx';
import { FirstMinutes } from './views/first-minutes.tsx';
import { FleetView } from './views/fleet.tsx';
import { KeyView } from './views/key.tsx';
import { KeysView } from './views/keys.tsx';
import { NowView } from './views/now.tsx';
import { TrendView } from './views/trend.tsx';

const VIEWS = [
  ['', 'Now'],
  ['fleet', 'Fleet'],
  ['keys', 'Keys'],
  ['break-glass', 'Break-glass'],
  ['audit', 'Audit'],
  ['trend', 'Trend'],
] as const;

export function App({ session }: { readonly session: Session }) {
  const [signIn, setSignIn] = useState<SignIn>(session.signedIn);
  useEffect(() => session.listen(setSignIn), [session]);

  const objectId = signIn.state === 'out' ? undefined : signIn.person.objectId;

  // A new client for each user, which has no cached answers of the previous one.
  const api = useMemo(() => new Api(session, objectId), [session, objectId]);

  if (signIn.state === 'out') return <SignInView session={session} failure={signIn.failure} />;

  return (
    <SessionContext.Provider value={session}>
      <PersonContext.Provider value={signIn.person}>
        <ApiContext.Provider value={api}>
          <Shell session={session} person={signIn.person} hasEnded={signIn.state === 'ended'} />
        </ApiContext.Provider>
      </PersonContext.Provider>
    </SessionContext.Provider>
  );
}

function SignInView({ session, failure }: { readonly session: Session; readonly failure: string | undefined }) {
  return (
    <main class="alone">
      <h1>cmk-autopilot</h1>
      <p>The keys of your storage accounts: their state, who uses them, and how to revoke them.</p>
      {failure && (
        <div class="notice tone-bad" role="alert">
          <Icon tone="bad" />
          <p>{failure}</p>
        </div>
      )}
      <p>
        <button type="button" class="primary" onClick={() => session.signIn()}>
          Sign in
        </button>
      </p>
      <p class="muted">With Microsoft Entra ID, in a window of its own. You are signed out when this page is closed.</p>
    </main>
  );
}

interface ShellProps {
  readonly session: Session;
  readonly person: Person;
  readonly hasEnded: boolean;
}

function Shell({ session, person, hasEnded }: ShellProps) {
  const route = useRoute();
  const api = useApi();
  const current = route.parts[0] ?? '';

  return (
    <>
      <button type="button" class="skip" onClick={focusContent}>
        To the content
      </button>
      <header class="top">
        <span class="brand">cmk-autopilot</span>
        <nav aria-label="Views">
          <ul>
            {VIEWS.map(([name, title]) => (
              <li key={name}>
                <a href={href(name ? [name] : [])} aria-current={current === name ? 'page' : undefined}>
                  {title}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <div class="who">
          <span class="name">{person.name}</span>
          <button type="button" class="small" onClick={() => session.signOut()}>
            Sign out
          </button>
        </div>
      </header>
      {hasEnded && <EndedNotice session={session} />}
      {person.roles.length > 0 && VIEWS.some(([name]) => name === current) && <FirstMinutes key={person.objectId} />}
      <main id="main" tabIndex={-1}>
        {person.roles.length === 0 ? (
          <NoRole person={person} />
        ) : (
          <Boundary key={JSON.stringify([person.objectId, ...route.parts])} again={() => forgetAll(api)}>
            <View route={route} />
          </Boundary>
        )}
      </main>
    </>
  );
}

/** Not with a link, since the hash selects the view. */
function focusContent(): void {
  document.querySelector<HTMLElement>('#main')?.focus();
}

function View({ route }: { readonly route: Route }) {
  const [name = '', ...rest] = route.parts;
  const [first, second] = rest;

  switch (name) {
    case '':
      return <NowView />;
    case 'fleet':
      return first ? <AccountView name={first} /> : <FleetView query={route.query} />;
    case 'keys':
      return first && second ? <KeyView vault={first} name={second} /> : <KeysView />;
    case 'break-glass':
      return <BreakGlassView vault={first} name={second} />;
    case 'audit':
      return first ? <AuditRecordView id={first} /> : <AuditView query={route.query} />;
    case 'trend':
      return <TrendView />;
    default:
      return (
        <>
          <Heading>No such view</Heading>
          <p>
            There is nothing at this address. <a href={href([])}>Go to the present state</a>
          </p>
        </>
      );
  }
}

function EndedNotice({ session }: { readonly session: Session }) {
  const [failure, setFailure] = useState('');
  const again = () =>
    session
      .signIn()
      // The pressed button has disappeared.
      .then(() => session.signedIn.state === 'in' && focusContent())
      .catch((error: unknown) => setFailure((error as Error).message));

  return (
    <div class="notice tone-warn wide" role="alert">
      <Icon tone="warn" />
      <div>
        <p class="strong">Your sign-in has ended.</p>
        <p>The page shows what it read before. Sign in again: you stay in this view. {failure}</p>
        <button type="button" class="primary" onClick={() => again()}>
          Sign in again
        </button>
      </div>
    </div>
  );
}

function NoRole({ person }: { readonly person: Person }) {
  return (
    <>
      <Heading>You have no role here</Heading>
      <div class="notice tone-warn">
        <Icon tone="warn" />
        <p>
          {person.name} is signed in, but has no role in this app. Ask an administrator for one of the app roles
          CmkKey.Read, CmkKey.Revoke, CmkKey.Restore or Cmk.Operate, then sign in again.
        </p>
      </div>
    </>
  );
}

interface BoundaryProps {
  readonly children: ComponentChildren;
  readonly again: () => void;
}

/** If a view throws, the rest of the page still works. */
class Boundary extends Component<BoundaryProps, { readonly failed: string | undefined }> {
  override state = { failed: undefined };

  static override getDerivedStateFromError(error: unknown) {
    return { failed: error instanceof Error ? error.message : String(error) };
  }

  override render() {
    const { failed } = this.state;
    if (failed === undefined) return this.props.children;

    const again = () => {
      this.props.again();
      this.setState({ failed: undefined });
    };

    return (
      <>
        <Heading>This view failed</Heading>
        <div class="notice tone-bad" role="alert">
          <Icon tone="bad" />
          <div>
            <p>
              The page could not show the answer ({failed}). An action that you have just sent may have taken effect:
              check the state before you repeat it. The API and the command line are not affected.
            </p>
            <button type="button" onClick={again}>
              Read it again
            </button>
          </div>
        </div>
      </>
    );
  }
}
