import { randomBytes } from 'node:crypto';
import { CLIENT_IDS } from '../constants.ts';
import type { Principal } from '../world.ts';

const allAppRoles = ['CmkKey.Read', 'CmkKey.Revoke', 'CmkKey.Restore', 'Cmk.Operate'];

/** A fixed object id for a fixed client id: another GUID, as in Entra ID. */
function objectIdOf(clientId: string): string {
  return clientId.replace(/^c1100000/, '0b1ec700');
}

function principal(displayName: string, clientId: string, kind: Principal['kind'], appRoles: string[] = []): Principal {
  return {
    displayName,
    clientId,
    objectId: objectIdOf(clientId),
    // A new secret in each run, so that the sources contain none.
    secret: randomBytes(24).toString('hex'), // no dash in front: command lines would take it for an option
    kind,
    appRoles,
  };
}

/** The sign-ins of the local tenant: an owner, the app's identities, and the sign-ins for its API. */
export function signIns(): Principal[] {
  return [
    // Reads the app's API, as `cmk now` does. Everything else it does with its rights in Azure.
    principal('owner', CLIENT_IDS.owner, 'application', ['CmkKey.Read']),
    principal('owner-user', CLIENT_IDS.ownerUser, 'user', allAppRoles),
    principal('cmk-app', CLIENT_IDS.app, 'managedIdentity'),
    principal('id-cmk-app', CLIENT_IDS.appUserAssigned, 'managedIdentity'),
    principal('revoker', CLIENT_IDS.revoker, 'user', ['CmkKey.Read', 'CmkKey.Revoke']),
    principal('restorer', CLIENT_IDS.restorer, 'user', ['CmkKey.Read', 'CmkKey.Restore']),
    principal('operator', CLIENT_IDS.operator, 'user', allAppRoles),
    principal('second-operator', CLIENT_IDS.secondOperator, 'user', allAppRoles),
    principal('outsider', CLIENT_IDS.outsider, 'user'),
    principal('robot', CLIENT_IDS.robot, 'application', ['CmkKey.Restore']),
  ];
}
