import {
  CLIENT_IDS,
  CMK_API_AUDIENCE,
  CMK_API_CLIENT_ID,
  SUBSCRIPTION_ID,
  TENANT_ID,
  WORKSPACE_ID,
} from '../azure/constants.ts';
import { RECEIVER_HOST } from '../azure/receiver.ts';

type Variables = Readonly<Record<string, string>>;

/** The vaults and the Managed HSM that the app manages. It must not touch `kv-other`. */
export const MANAGED_VAULT_IDS = ['vaults/kv-files', 'vaults/kv-records', 'managedHSMs/hsm-local'].map(
  (name) => `/subscriptions/${SUBSCRIPTION_ID}/resourceGroups/rg-keys/providers/Microsoft.KeyVault/${name}`,
);

/**
 * The app of a local run sends notifications to the receiver of the local Azure. `GET /notifications` of the control
 * API returns them.
 */
export const LOCAL_NOTIFY = JSON.stringify({
  targets: [
    {
      name: 'local',
      kind: 'webhook',
      address: `https://${RECEIVER_HOST}/cmk`,
      secret: `whsec_${Buffer.from('not a secret: for the local run').toString('base64')}`,
    },
  ],
});

const APP_GROUP = `/subscriptions/${SUBSCRIPTION_ID}/resourceGroups/rg-cmk`;

/** Variables that a child inherits from the shell that started the local run. */
const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'TMP', 'LANG', 'LC_ALL', 'TZ', 'TERM', 'NO_COLOR', 'FORCE_COLOR'];

/** The minimum of the caller's environment: its proxies, sign-ins and Node options would break the local ones. */
export function baseEnvironment(caller: NodeJS.ProcessEnv): Variables {
  return pick(caller, (name) => INHERITED.includes(name));
}

/**
 * App settings that a deployment also sets. A `CMK_…` variable of the caller takes precedence: `CMK_AUTOFIX=… npm
 * start`. Only the caller decides where telemetry goes (`OTEL_…`, `APPLICATIONINSIGHTS_…`).
 */
export function appSettings(azuriteConnectionString: string, caller: NodeJS.ProcessEnv, signIn?: string): Variables {
  return {
    AzureWebJobsStorage: azuriteConnectionString,
    FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: '1200000',
    CMK_VAULTS: MANAGED_VAULT_IDS.join(','),
    CMK_TENANT_ID: TENANT_ID,
    CMK_USAGE_WORKSPACE: WORKSPACE_ID,
    CMK_OTHER_DEPENDENTS: 'all',
    CMK_API_AUDIENCE: `${CMK_API_CLIENT_ID},${CMK_API_AUDIENCE}`,
    // For a browser without the proxy and the CA of the local Azure.
    ...(signIn === undefined ? {} : { CMK_PAGE_SIGN_IN: signIn }),
    // A check during the tour or a test would find the drift before their steps do.
    'AzureWebJobs.driftCheck.Disabled': 'true',
    CMK_AUTOFIX:
      'StaleKeyVersion,ScopeStaleKeyVersion,LaggingAutomaticVersion,NearExpiry,RotationIncomplete,EventSubscriptionMissing,EventSubscriptionMisaimed',
    // The function app that the sample fleet's event subscriptions name.
    CMK_FUNCTION_APP_ID: `${APP_GROUP}/providers/Microsoft.Web/sites/func-cmk`,
    AzureWebJobsStorage__accountName: 'stcmkapp',
    ...pick(
      caller,
      (name) =>
        /^((CMK|OTEL|APPLICATIONINSIGHTS)_[A-Z_]+|AzureWebJobs\.\w+\.Disabled)$/.test(name) && name !== 'CMK_API',
    ),
  };
}

/**
 * The whole environment of the app. As in Azure it has a user-assigned managed identity, and no secret but the
 * connection string of its storage.
 */
export function appEnvironment(settings: Variables, azure: Variables, caller: NodeJS.ProcessEnv): Variables {
  return {
    ...baseEnvironment(caller),
    ...pick(caller, (name) => name.startsWith('LOCAL_HOST_')),
    ...azure,
    ...settings,
    AZURE_CLIENT_ID: CLIENT_IDS.appUserAssigned,
    AZURE_FUNCTIONS_ENVIRONMENT: 'Development',
    FUNCTIONS_WORKER_RUNTIME: 'node',
  };
}

function pick(from: NodeJS.ProcessEnv, wanted: (name: string) => boolean): Variables {
  const picked: Record<string, string> = {};
  for (const [name, value] of Object.entries(from)) {
    if (value !== undefined && wanted(name)) picked[name] = value;
  }
  return picked;
}
