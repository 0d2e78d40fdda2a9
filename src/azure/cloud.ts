/** Endpoints of an Azure cloud. Source: the clouds built into the Azure CLI (`az cloud show`). */
export interface Cloud {
  readonly name: 'AzureCloud' | 'AzureUSGovernment' | 'AzureChinaCloud';
  /** Entra ID endpoint, with the scheme, without a trailing slash. */
  readonly authorityHost: string;
  /** Issuers of v1.0 tokens, with the scheme, without a trailing slash. */
  readonly tokenIssuerV1: string;
  /** Azure Resource Manager, with the scheme, without a trailing slash. */
  readonly resourceManager: string;
  readonly resourceManagerScope: string;
  readonly keyVaultSuffix: string;
  readonly managedHsmSuffix: string;
  readonly storageSuffix: string;
  /** Log Analytics, with the scheme, without a trailing slash (Azure SDK, `KnownMonitorLogsQueryAudience`). */
  readonly logAnalytics: string;
  /** Microsoft Graph, with the scheme, without a trailing slash. */
  readonly microsoftGraph: string;
}

export const CLOUDS: readonly Cloud[] = [
  {
    name: 'AzureCloud',
    authorityHost: 'https://login.microsoftonline.com',
    tokenIssuerV1: 'https://sts.windows.net',
    resourceManager: 'https://management.azure.com',
    resourceManagerScope: 'https://management.azure.com/.default',
    keyVaultSuffix: 'vault.azure.net',
    managedHsmSuffix: 'managedhsm.azure.net',
    storageSuffix: 'core.windows.net',
    logAnalytics: 'https://api.loganalytics.io',
    microsoftGraph: 'https://graph.microsoft.com',
  },
  {
    name: 'AzureUSGovernment',
    authorityHost: 'https://login.microsoftonline.us',
    tokenIssuerV1: 'https://sts.windows.net',
    resourceManager: 'https://management.usgovcloudapi.net',
    resourceManagerScope: 'https://management.usgovcloudapi.net/.default',
    keyVaultSuffix: 'vault.usgovcloudapi.net',
    managedHsmSuffix: 'managedhsm.usgovcloudapi.net',
    storageSuffix: 'core.usgovcloudapi.net',
    logAnalytics: 'https://api.loganalytics.us',
    microsoftGraph: 'https://graph.microsoft.us',
  },
  {
    name: 'AzureChinaCloud',
    authorityHost: 'https://login.chinacloudapi.cn',
    tokenIssuerV1: 'https://sts.chinacloudapi.cn',
    resourceManager: 'https://management.chinacloudapi.cn',
    resourceManagerScope: 'https://management.chinacloudapi.cn/.default',
    keyVaultSuffix: 'vault.azure.cn',
    managedHsmSuffix: 'managedhsm.azure.cn',
    storageSuffix: 'core.chinacloudapi.cn',
    logAnalytics: 'https://api.loganalytics.azure.cn',
    microsoftGraph: 'https://microsoftgraph.chinacloudapi.cn',
  },
];

export function findCloud(name: string): Cloud | undefined {
  return CLOUDS.find((cloud) => cloud.name.toLowerCase() === name.toLowerCase());
}
