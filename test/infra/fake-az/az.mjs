// Stands in for the Azure CLI where it speaks to Microsoft Graph about app registrations, which the local Azure does not
// serve. One process for all commands of a test file: `az` is a script that sends its words to the socket named first. State,
// and every write, are in the JSON file named second.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { search } from '@jmespath-community/jmespath';

const [socket, file] = process.argv.slice(2);

/** What az says on stderr before it ends with 1. */
class Refused extends Error {}

/** What az prints for these words. */
function answerTo(args) {
  const state = JSON.parse(readFileSync(file, 'utf8'));
  let out = '';
  const option = (name) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
  function print(value) {
    const answer = option('--query') ? search(value, option('--query')) : value;
    if (option('-o') === 'json') out = JSON.stringify(answer ?? null, null, 2);
    else if (option('-o') !== 'none') out = [answer ?? []].flat().join('\n');
  }
  function wrote(what) {
    state.writes.push(what);
    writeFileSync(file, JSON.stringify(state));
  }
  function merge(into, from) {
    for (const [name, value] of Object.entries(from)) {
      const complex = value !== null && typeof value === 'object' && !Array.isArray(value);
      into[name] = complex ? merge(into[name] ?? {}, value) : value;
    }
    return into;
  }

  /** What was just made is not there at first: `lag` questions after the making are answered as if it were not. */
  if (state.lag > 0 && /^ad (app|sp) show|^rest --method PATCH/.test(args.join(' '))) {
    state.lag -= 1;
    writeFileSync(file, JSON.stringify(state));
    throw new Refused(
      "ERROR: Resource 'client-1' does not exist or one of its queried reference-property objects are not present.",
    );
  }

  /** Reads that are refused, by a piece of their command line: so many times, or for ever. */
  for (const [piece, left] of Object.entries(state.refused ?? {})) {
    if (left === 0 || !args.join(' ').includes(piece)) continue;
    state.refused[piece] = left - 1;
    writeFileSync(file, JSON.stringify(state));
    throw new Refused('ERROR: Too Many Requests');
  }

  /** Groups, the rules of their memberships, and who is eligible. */
  function pim(method, path, body) {
    const token = args.includes('--skip-authorization-header')
      ? readFileSync(option('--headers').slice(1), 'utf8')
      : '';
    if (state.lacksScopes && !token.includes('"Bearer a-token"')) {
      throw new Refused('ERROR: Forbidden({"errorCode":"PermissionScopeNotGranted"})');
    }
    state.groups ??= [];
    state.eligible ??= [];
    const named = (name) => new RegExp(`${name} eq '((?:[^']|'')*)'`).exec(path)?.[1]?.replaceAll("''", "'");
    const rule = /^\/policies\/roleManagementPolicies\/Group_(.+)_(\d)\/rules\/(\w+)$/.exec(path);
    if (path.startsWith('/groups?')) {
      print({ value: state.groups.filter((one) => one.displayName === named('displayName')) });
    } else if (path === '/groups') {
      const made = { id: `group-${state.groups.length + 1}`, onboarded: 0, rules: {}, ...body };
      state.groups.push(made);
      wrote('POST /groups');
      print(made);
    } else if (path.startsWith('/groups/')) {
      print(state.groups.find(({ id }) => path.endsWith(id)));
    } else if (path.startsWith('/policies/roleManagementPolicyAssignments')) {
      const { id, onboarded } = state.groups.find((one) => one.id === named('scopeId'));
      print({ value: [{ policyId: `Group_${id}_${onboarded}` }] });
    } else if (rule) {
      const group = state.groups.find(({ id }) => id === rule[1]);
      // The first change makes it a group of PIM, whose policy has another id.
      if (Number(rule[2]) !== group.onboarded) throw new Error('fake az: no such policy');
      group.onboarded = 1;
      group.rules[rule[3]] = body;
      wrote(`PATCH rule ${rule[3]}`);
    } else if (method === 'GET') {
      print({ value: state.eligible.filter((one) => one.groupId === named('groupId')) });
    } else {
      state.eligible.push(body);
      wrote(`POST eligible ${body.principalId}`);
    }
  }

  const app = () => state.apps.find(({ appId }) => appId === option('--id'));
  switch (args.slice(0, 3).join(' ').replace(/ --.*/, '')) {
    case 'account show':
      print({ tenantId: 'tenant-1' });
      break;
    case 'cloud show':
      out = 'https://graph.microsoft.com/';
      break;
    case 'ad signed-in-user show':
      print({ id: 'me' });
      break;
    case 'ad app list':
      {
        // A quote within a text is written twice, in OData.
        const [, asked] = /^displayName eq '((?:[^']|'')*)'$/.exec(option('--filter')) ?? [];
        if (asked === undefined) {
          throw new Refused(`ERROR: Invalid filter clause: ${option('--filter')}`);
        }
        print(state.apps.filter(({ displayName }) => displayName === asked.replaceAll("''", "'")));
      }
      break;
    case 'ad app create': {
      const made = {
        id: 'object-1',
        appId: 'client-1',
        displayName: option('--display-name'),
        identifierUris: [],
        tags: [],
        // The caller who makes one owns it, and its service principal.
        owners: ['me'],
        appRoles: [],
        api: { oauth2PermissionScopes: [], preAuthorizedApplications: [] },
      };
      state.apps.push(made);
      wrote('create app');
      print(made);
      break;
    }
    case 'ad app show':
      print(app());
      break;
    case 'ad sp list':
      print(state.principals.filter(({ appId }) => option('--filter') === `appId eq '${appId}'`));
      break;
    case 'ad sp create': {
      const made = { id: 'principal-1', appId: option('--id'), owners: ['me'], appRoleAssignmentRequired: false };
      state.principals.push(made);
      wrote('create principal');
      print(made);
      break;
    }
    case 'ad sp show':
      print(state.principals.find(({ id }) => id === option('--id')));
      break;
    default: {
      if (args[0] !== 'rest') throw new Error(`fake az: no such command: ${args.join(' ')}`);
      const method = option('--method');
      const url = decodeURIComponent(option('--url'));
      if (/\/groups|\/policies\/|\/privilegedAccess\//.test(url)) {
        pim(method, url.replace('https://graph.microsoft.com/v1.0', ''), JSON.parse(option('--body') ?? 'null'));
        break;
      }
      const owned = [...state.apps, ...state.principals].find(({ id }) => url.includes(`/${id}/owners`));
      if (method === 'GET' && owned) {
        print({ value: owned.owners.map((id) => ({ id })) });
      } else if (method === 'GET') {
        print({ value: state.assignments });
      } else if (method === 'DELETE') {
        const id = /\/owners\/([^/]+)\/\$ref$/.exec(url)?.[1];
        // Who owns it no more, and has no role of the directory, writes nothing there.
        if (!owned?.owners.includes('me')) {
          throw new Refused(
            'ERROR: Forbidden({"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges to complete the operation."}})',
          );
        }
        owned.owners = owned.owners.filter((one) => one !== id);
        wrote(`DELETE ${url.replace('https://graph.microsoft.com/v1.0', '')}`);
      } else {
        const body = JSON.parse(option('--body'));
        if (url.includes('/applications/')) {
          merge(
            state.apps.find(({ id }) => url.endsWith(id)),
            body,
          );
        } else if (method === 'PATCH') {
          merge(
            state.principals.find(({ id }) => url.endsWith(id)),
            body,
          );
        } else {
          state.assignments.push(body);
        }
        wrote(`${method} ${url.replace('https://graph.microsoft.com/v1.0', '')}`);
      }
    }
  }
  return out;
}

rmSync(socket, { force: true });
createServer(async (request, response) => {
  const args = (await buffer(request)).toString().split('\0').slice(0, -1);
  try {
    response.end(answerTo(args));
  } catch (error) {
    response
      .writeHead(error instanceof Refused ? 400 : 500)
      .end(error instanceof Refused ? error.message : error.stack);
  }
}).listen(socket, () => console.log('ready'));
