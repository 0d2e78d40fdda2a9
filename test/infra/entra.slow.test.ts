import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ROLES } from '../../src/http/roles.ts';
import { type Child, startChild } from '../support/child.ts';

interface FakeApp {
  readonly appRoles: readonly {
    readonly id: string;
    readonly value: string;
    readonly allowedMemberTypes?: readonly string[];
  }[];
  readonly identifierUris: readonly string[];
  readonly api: Record<string, unknown>;
  readonly spa?: { readonly redirectUris: readonly string[] };
}
interface State {
  readonly apps: FakeApp[];
  readonly principals: { readonly appRoleAssignmentRequired: boolean }[];
  readonly assignments: unknown[];
  readonly writes: string[];
  readonly groups?: readonly object[];
  readonly eligible?: readonly object[];
}

let folder: string;
let azure: Child;
const stateFile = (): string => join(folder, 'state.json');
const state = (): State => JSON.parse(readFileSync(stateFile(), 'utf8'));
const setState = (next: object): void => writeFileSync(stateFile(), JSON.stringify(next));

const NOTHING: State = { apps: [], principals: [], assignments: [], writes: [] };
/** What a first run has made. */
let made: State;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cmk-entra-'));

  const socket = join(folder, 'az.sock');

  azure = startChild(join(import.meta.dirname, 'fake-az/az.mjs'), [socket, stateFile()]);
  await azure.says(/^ready$/m);
  mkdirSync(join(folder, 'bin'));

  const az = `said="$(printf '%s\\0' "$@" | curl -s --fail-with-body --unix-socket '${socket}' --data-binary @- http://az/)"`;
  const script = `#!/bin/sh\nif ${az}; then [ -z "$said" ] || printf '%s\\n' "$said"; else printf '%s\\n' "$said" >&2; exit 1; fi\n`;

  writeFileSync(join(folder, 'bin/az'), script, { mode: 0o755 });
  setState(NOTHING);
  done();
  made = state();
});
afterAll(async () => {
  azure.process.kill();
  await azure.exit;
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  rmSync(join(folder, 'bin/azd'), { force: true });
  setState(made);
});

function entra(args: readonly string[] = [], environment: Record<string, string> = {}) {
  const script = join(import.meta.dirname, '../../infra/entra.sh');
  const result = spawnSync('sh', [script, ...args], {
    encoding: 'utf8',
    env: {
      PATH: `${join(folder, 'bin')}${delimiter}/usr/bin${delimiter}/bin`,
      AZURE_ENV_NAME: 'test',
      CMK_ENTRA_PAUSE: '0',
      ...environment,
    },
  });

  return { status: result.status, stdout: result.stdout, stderr: result.stderr };
}

/** What it says where nothing is refused. */
function done(...asked: Parameters<typeof entra>): string {
  const { stdout, ...ended } = entra(...asked);
  expect(ended).toEqual({ status: 0, stderr: '' });
  return stdout;
}

/** What it says where it refuses. */
function refusal(...asked: Parameters<typeof entra>): string {
  const { status, stderr } = entra(...asked);
  expect(status).toBe(1);
  return stderr;
}

describe('infra/entra.sh', () => {
  it('infra/entra.sh creates a registration with the roles of the API, and prints its client id', () => {
    setState(NOTHING);

    expect(done()).toContain('CMK_API_CLIENT_ID=client-1');

    const [app] = state().apps;
    expect(app?.appRoles.map(({ value }) => value)).toEqual([...ROLES]);
    expect(app?.appRoles[0]?.allowedMemberTypes).toEqual(['User', 'Application']);
    expect(app?.identifierUris).toEqual(['api://client-1']);

    expect(app?.api).toMatchObject({
      requestedAccessTokenVersion: 2,
      oauth2PermissionScopes: [{ value: 'access_as_user' }],
      preAuthorizedApplications: [{ appId: '04b07795-8ddb-461a-bbee-02f9e1bf7b46' }],
    });

    expect(state().principals[0]?.appRoleAssignmentRequired).toBe(true);
  });

  it('infra/entra.sh changes nothing the second time', () => {
    const before = state();
    const stdout = done();
    expect(stdout).toContain('is there (client-1)');
    expect(state().writes).toEqual(before.writes);
  });

  it('infra/entra.sh finds its registration again by any name', () => {
    setState(NOTHING);
    const named = { CMK_API_NAME: `Bob's "keys" & $HOME, 'prod'` };
    done([], named);
    expect(done([], named)).toContain('is there (client-1)');
    expect(state().apps).toMatchObject([{ displayName: named.CMK_API_NAME }]);
  });

  describe('that is told to leave no owner', () => {
    const page = ['--page', 'https://func.example.net'];
    const owners = () => [...state().apps, ...state().principals].map((one) => (one as { owners?: string[] }).owners);

    it('infra/entra.sh keeps the owners while something still has to be written, and names it', () => {
      expect(refusal(['--drop-owner'])).toContain('--page https://');
      expect(owners()).toEqual([['me'], ['me']]);
      done(['--drop-owner'], { CMK_PAGE_SIGN_IN: 'off' });
      expect(owners()).toEqual([[], []]);
    });

    it('infra/entra.sh removes every owner of registration and service principal on request, its own last, and prints the consequences', () => {
      entra(page);

      const before = state();
      const owned = (one: object) => ({ ...one, owners: ['me', 'ada', 'bob'] });
      const apps = before.apps.map(owned);
      const principals = before.principals.map(owned);

      setState({ ...before, apps, principals, writes: [] });

      const stdout = done(['--drop-owner']);

      expect(owners()).toEqual([[], []]);

      expect(state().writes).toEqual(
        ['servicePrincipals/principal-1', 'applications/object-1'].flatMap((of) =>
          ['ada', 'bob', 'me'].map((owner) => `DELETE /${of}/owners/${owner}/$ref`),
        ),
      );

      expect(stdout).toContain('Application Administrator');

      // Again: there is nothing left, and nothing is refused.
      done(['--drop-owner']);
      done();
    });

    it('The last step of a deployment in the bank profile removes the owners by infra/entra.sh', () => {
      entra([], { CMK_PROFILE: 'bank' });
      expect(owners()).toEqual([['me'], ['me']]);
      entra(page, { CMK_PROFILE: 'bank' });
      expect(owners()).toEqual([[], []]);
    });

    it('infra/entra.sh prints who can remove the owners, if it may not', () => {
      entra(page);
      const before = state();
      const apps = before.apps.map((one) => ({ ...one, owners: ['ada'] }));
      setState({ ...before, apps });
      expect(refusal(['--drop-owner'])).toMatch(/ada of the registration[\s\S]*Application Administrator/);
    });
  });

  it('infra/entra.sh waits until Entra ID has replicated what it created', () => {
    setState({ ...NOTHING, lag: 3 });
    done();
    expect(state().principals[0]?.appRoleAssignmentRequired).toBe(true);
  });

  it('infra/entra.sh prints the message of az if that fails', () => {
    setState({ ...NOTHING, lag: 1_000 });
    expect(refusal()).toContain('does not exist');
  });

  it('infra/entra.sh adds a missing role and keeps those that others added', () => {
    const changed = state();
    const theirs = { id: 'theirs', value: 'Their.Role' };
    const [app] = changed.apps;
    const kept = app?.appRoles.filter(({ value }) => value !== 'CmkKey.Restore') ?? [];

    setState({ ...changed, apps: [{ ...app, appRoles: [...kept, theirs] }] });

    expect(done()).toContain('set the roles CmkKey.Restore');

    expect(state().apps[0]?.appRoles.map(({ value }) => value)).toEqual([
      'CmkKey.Read',
      'CmkKey.Revoke',
      'Cmk.Operate',
      'Their.Role',
      'CmkKey.Restore',
    ]);
  });

  describe('that cannot read a list', () => {
    const theirs = {
      identifierUris: ['api://theirs'],
      redirectUris: ['https://theirs.example'],
      oauth2PermissionScopes: [{ id: 'their-scope' }],
      preAuthorizedApplications: [{ appId: 'their-client' }],
    };

    const lists = (): Record<string, unknown> => {
      const { identifierUris, spa, api } = state().apps[0] ?? {};
      return { identifierUris, redirectUris: spa?.redirectUris, ...api };
    };

    /** A registration with what others put there, and nothing of ours. */
    const withTheirs = (refused: Record<string, number>) => {
      const { identifierUris, redirectUris, ...api } = theirs;
      const app = { ...state().apps[0], identifierUris, spa: { redirectUris }, api };
      setState({ ...state(), apps: [app], refused });
    };

    const page = ['--page', 'https://func-cmk.example'];

    const LISTS = ['identifierUris', 'api.oauth2PermissionScopes', 'api.preAuthorizedApplications', 'spa.redirectUris'];

    it.each(LISTS)(
      'infra/entra.sh stops if it cannot read a list, instead of overwriting what others added: %s',
      (list) => {
        withTheirs({ [`--query ${list} -o json`]: 1_000 });
        expect(refusal(page)).toContain('Too Many Requests');
        expect(lists()).toMatchObject(
          Object.fromEntries(Object.entries(theirs).map(([name, [one]]) => [name, expect.arrayContaining([one])])),
        );
      },
    );

    it('infra/entra.sh adds to a list of others once it can read the list', () => {
      withTheirs(Object.fromEntries(LISTS.map((list) => [list, 2])));
      done(page);
      for (const [name, [one]] of Object.entries(theirs)) expect(lists()[name]).toEqual([one, expect.anything()]);
    });
  });

  it('infra/entra.sh creates the role to restore for people alone, also where an older version created it for applications', () => {
    setState(NOTHING);
    entra([], { CMK_RESTORE_APPLICATIONS: 'robot' });

    const members = () => state().apps[0]?.appRoles.map(({ value, allowedMemberTypes }) => [value, allowedMemberTypes]);
    expect(members()).toContainEqual(['CmkKey.Restore', ['User', 'Application']]);
    expect(done()).toContain('set the roles CmkKey.Restore');

    expect(members()).toEqual([
      ['CmkKey.Read', ['User', 'Application']],
      ['CmkKey.Revoke', ['User', 'Application']],
      ['Cmk.Operate', ['User', 'Application']],
      ['CmkKey.Restore', ['User']],
    ]);

    const before = state();

    entra();

    expect(state().writes).toEqual(before.writes);
  });

  it('infra/entra.sh uses no registration of that name that belongs to an app in another subscription, unless told to', () => {
    setState(NOTHING);

    const ours = { AZURE_SUBSCRIPTION_ID: 'sub-ours' };
    const theirs = { AZURE_SUBSCRIPTION_ID: 'sub-theirs' };

    done([], theirs);

    const before = state();

    expect(refusal([], ours)).toContain('sub-theirs');
    expect(done([], theirs)).toContain('is there (client-1)');

    // Who goes by its id knows which it is; and a shell need not name the subscription.
    done([], { ...ours, CMK_API_CLIENT_ID: 'client-1' });
    done();

    expect(state().writes).toEqual(before.writes);
  });

  it('infra/entra.sh assigns a role on the existing registration, and creates none for it', () => {
    setState(NOTHING);
    const refused = 'no registration "CMK Autopilot (test)"';
    expect(refusal(['--assign', 'person-1', 'CmkKey.Revoke'])).toContain(refused);
    expect(refusal(['--page', 'https://func-cmk.azurewebsites.net'])).toContain(refused);
    expect(state().writes).toEqual([]);
  });

  it('infra/entra.sh uses the environment of azd in a shell that has none', () => {
    setState(NOTHING);
    entra([], { AZURE_ENV_NAME: 'prod' });

    const azd = (answer: string) =>
      writeFileSync(join(folder, 'bin/azd'), `#!/bin/sh\ncase "$*" in ${answer}\n*) echo unknown; exit 1 ;; esac\n`, {
        mode: 0o755,
      });

    azd(
      "*'--no-prompt env get-value AZURE_ENV_NAME') echo prod ;; *'--no-prompt env get-value CMK_API_CLIENT_ID') echo client-1 ;;",
    );

    expect(done(['--assign', 'person-1', 'CmkKey.Revoke'], { AZURE_ENV_NAME: '' })).toContain('is there (client-1)');
    expect(state().apps).toHaveLength(1);

    // Where azd has no environment, or what it says is of another one, a name says which.
    azd('');

    expect(refusal(['--assign', 'person-2', 'CmkKey.Revoke'], { AZURE_ENV_NAME: '' })).toContain('AZURE_ENV_NAME');
  });

  it('infra/entra.sh stores the id in azd if azd has that environment, and succeeds if azd serves another project', () => {
    setState(NOTHING);

    const azd = (known: string) =>
      writeFileSync(
        join(folder, 'bin/azd'),
        `#!/bin/sh\ncase "$*" in --no-prompt*' -e ${known}') echo "$*" >> '${join(folder, 'azd')}' ;; *) echo 'no such environment'; exit 1 ;; esac\n`,
        { mode: 0o755 },
      );

    azd('other');

    expect(done()).toContain('CMK_API_CLIENT_ID=client-1');
    expect(existsSync(join(folder, 'azd'))).toBe(false);

    azd('test');
    done();

    expect(readFileSync(join(folder, 'azd'), 'utf8')).toContain(
      '--no-prompt env set CMK_API_CLIENT_ID client-1 -e test',
    );
  });

  it('infra/entra.sh assigns a role to a principal, once', () => {
    expect(done(['--assign', 'person-1', 'CmkKey.Revoke'])).toContain('gave CmkKey.Revoke to person-1');
    expect(done(['--assign', 'person-1', 'CmkKey.Revoke'])).toContain('has CmkKey.Revoke already');
    const role = state().apps[0]?.appRoles.find(({ value }) => value === 'CmkKey.Revoke')?.id;
    expect(state().assignments).toEqual([{ principalId: 'person-1', resourceId: 'principal-1', appRoleId: role }]);
  });

  describe('that is told to require approval of a role', () => {
    const pim = (...people: string[]) => ['--pim', 'CmkKey.Restore', 'approvers-1', ...people];

    it('infra/entra.sh creates a group with the role and its approval rules before a person is eligible, and changes nothing the second time', () => {
      const before = state().writes.length;
      const stdout = done(pim('person-1', 'person-2'));

      expect(stdout).toContain('made person-2 eligible for CmkKey.Restore');

      expect(state().writes.slice(before)).toEqual([
        'POST /groups',
        'PATCH rule Approval_EndUser_Assignment',
        'PATCH rule Enablement_EndUser_Assignment',
        'PATCH rule Expiration_EndUser_Assignment',
        'POST eligible person-1',
        'POST eligible person-2',
        'POST /servicePrincipals/principal-1/appRoleAssignedTo',
      ]);

      const [group] = state().groups ?? [];
      expect(group).toMatchObject({
        displayName: 'CMK Autopilot (test) CmkKey.Restore',
        isAssignableToRole: true,
        securityEnabled: true,
        rules: {
          Approval_EndUser_Assignment: {
            '@odata.type': '#microsoft.graph.unifiedRoleManagementPolicyApprovalRule',
            setting: {
              isApprovalRequired: true,
              approvalStages: [{ primaryApprovers: [{ groupId: 'approvers-1' }] }],
            },
          },
          Enablement_EndUser_Assignment: { enabledRules: ['MultiFactorAuthentication', 'Justification', 'Ticketing'] },
          Expiration_EndUser_Assignment: { isExpirationRequired: true, maximumDuration: 'PT2H' },
        },
      });

      expect(state().eligible).toMatchObject([
        { accessId: 'member', action: 'adminAssign', principalId: 'person-1', groupId: 'group-1' },
        { principalId: 'person-2', scheduleInfo: { expiration: { type: 'afterDuration', duration: 'P365D' } } },
      ]);

      const role = state().apps[0]?.appRoles.find(({ value }) => value === 'CmkKey.Restore')?.id;
      expect(state().assignments).toEqual([{ principalId: 'group-1', resourceId: 'principal-1', appRoleId: role }]);
      expect(done(pim('person-1', 'person-2'))).toContain('person-1 is eligible for CmkKey.Restore already');
      expect([state().groups?.length, state().eligible?.length, state().assignments.length]).toEqual([1, 2, 1]);
    });

    it('infra/entra.sh prints who has the role without approval', () => {
      entra(['--assign', 'person-9', 'CmkKey.Restore']);
      expect(done(pim('person-1'))).toContain('these have CmkKey.Restore without approval too: person-9');
    });

    it('infra/entra.sh uses no group that others than privileged administrators may have created', () => {
      const groups = [{ id: 'theirs', displayName: 'CMK Autopilot (test) CmkKey.Restore', isAssignableToRole: false }];
      setState({ ...state(), groups });
      expect(refusal(pim('person-1'))).toContain('theirs');
      expect(state().assignments).toEqual([]);
    });

    it('infra/entra.sh names the missing permissions for approval, and uses a token that has them', () => {
      setState({ ...state(), lacksScopes: true });
      expect(refusal(pim('person-1'))).toMatch(
        /PermissionScopeNotGranted[\s\S]*PrivilegedEligibilitySchedule\.ReadWrite/,
      );
      done(pim('person-1'), { CMK_GRAPH_TOKEN: 'a-token' });
    });

    it.each([
      ['to revoke, which must not wait', ['--pim', 'CmkKey.Revoke', 'a', 'b'], {}, /must not wait/],
      ['without an eligible person', ['--pim', 'CmkKey.Restore', 'a'], {}, /usage/],
      ['for a day', ['--pim', 'CmkKey.Restore', 'a', 'b'], { CMK_PIM_HOURS: '24' }, /from 1 to 8/],
    ])('infra/entra.sh rejects approval of a role %s', (_, args, environment, said) => {
      const { writes } = state();
      expect(refusal(args, environment)).toMatch(said);
      expect(state().writes).toEqual(writes);
    });
  });

  it('infra/entra.sh lets people sign in to the page of an app, and keeps existing settings', () => {
    const back = 'https://func-cmk.azurewebsites.net/page/signed-in.html';
    expect(done(['--page', 'https://func-cmk.azurewebsites.net/api'])).toContain(`back to ${back}`);
    expect(done(['--page', 'https://func-cmk.azurewebsites.net/'])).toContain(`by ${back} already`);
    entra(['--page', 'https://other.example']);
    expect(state().apps[0]?.spa?.redirectUris).toEqual([back, 'https://other.example/page/signed-in.html']);
    expect(refusal(['--page', 'http://plain.example'])).toContain('https');
  });

  it('infra/entra.sh rejects an unknown role and an unknown argument', () => {
    expect(refusal(['--assign', 'person-1', 'Owner'])).toContain('there is no role Owner');
    expect(refusal(['--help'])).toContain('usage');
  });

  it('infra/entra.sh changes nothing in a dry run', () => {
    setState(NOTHING);
    expect(done([], { CMK_ENTRA: 'skip' })).toContain('left alone');
    expect(state().writes).toEqual([]);
  });
});
