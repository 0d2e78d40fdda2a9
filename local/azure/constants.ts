/** The local tenant. */
export const TENANT_ID = '0a1b2c3d-0000-4000-8000-00000000face';
/** The subscription of most of the sample fleet. */
export const SUBSCRIPTION_ID = '5ab50000-0000-4000-8000-000000000001';
/** The second subscription of the sample fleet. */
export const SECOND_SUBSCRIPTION_ID = '5ab50000-0000-4000-8000-000000000002';

/** Client id of the app registration of the break-glass API. */
export const CMK_API_CLIENT_ID = 'a9100000-0000-4000-8000-00000000c3c3';
/** App ID URI of that registration. A v2 token has the client id as `aud`; a v1 token may have either. */
export const CMK_API_AUDIENCE = 'api://cmk-autopilot';

/** Client id of the Azure CLI, the same in every tenant. Users sign in with it. */
export const AZURE_CLI_CLIENT_ID = '04b07795-8ddb-461a-bbee-02f9e1bf7b46';
/** The delegated permission of the app's API. */
export const CMK_API_SCOPE = 'access_as_user';

/** Customer id of the sample fleet's Log Analytics workspace. */
export const WORKSPACE_ID = '10600000-0000-4000-8000-000000000001';

/** Client ids of the sign-ins: fixed, so that settings and documents can name them. */
export const CLIENT_IDS = {
  owner: 'c1100000-0000-4000-8000-000000000001',
  ownerUser: 'c1100000-0000-4000-8000-000000000002',
  app: 'c1100000-0000-4000-8000-000000000003',
  appUserAssigned: 'c1100000-0000-4000-8000-000000000004',
  revoker: 'c1100000-0000-4000-8000-000000000011',
  restorer: 'c1100000-0000-4000-8000-000000000012',
  operator: 'c1100000-0000-4000-8000-000000000013',
  outsider: 'c1100000-0000-4000-8000-000000000014',
  secondOperator: 'c1100000-0000-4000-8000-000000000015',
  robot: 'c1100000-0000-4000-8000-000000000016',
} as const;
