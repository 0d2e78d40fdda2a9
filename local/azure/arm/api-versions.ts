import { typeOf } from './arm-path.ts';

/** From 2015 on. Versions that only a preview had carry its suffix. */
const resources = [
  ...['2015-11-01', '2016-02-01', '2016-06-01', '2016-09-01', '2017-05-10', '2018-02-01', '2018-05-01', '2019-05-01'],
  ...['2019-05-10', '2019-08-01', '2019-10-01', '2020-06-01', '2020-08-01', '2020-10-01', '2021-01-01', '2021-04-01'],
  ...['2022-09-01', '2023-07-01', '2024-03-01', '2024-07-01', '2024-11-01', '2025-03-01', '2025-04-01'],
];
const eventGrid = [
  ...['2018-01-01', '2019-01-01', '2019-06-01', '2020-04-01-preview', '2020-06-01', '2020-10-15-preview'],
  ...['2021-06-01-preview', '2021-10-15-preview', '2021-12-01', '2022-06-15', '2023-06-01-preview'],
  ...['2023-12-15-preview', '2024-06-01-preview', '2024-12-15-preview', '2025-02-15', '2025-04-01-preview'],
];

/**
 * The api-versions of each resource type, oldest first: those of the SDKs, of `az` 2.45 and 2.74, of the recordings,
 * and others of Azure's specifications (azure-rest-api-specs). Add a version here if it exists and is missing.
 */
const API_VERSIONS: Readonly<Record<string, readonly string[]>> = {
  subscriptions: ['2016-06-01', '2018-06-01', '2019-06-01', '2019-11-01', '2020-01-01', '2021-01-01', '2022-12-01'],
  tenants: ['2016-06-01', '2018-06-01', '2019-06-01', '2019-11-01', '2020-01-01', '2021-01-01', '2022-12-01'],
  'subscriptions/providers': resources,
  'subscriptions/resources': resources,
  'subscriptions/resourcegroups': resources,
  'microsoft.resources': resources,
  'microsoft.storage': [
    ...['2016-01-01', '2016-12-01', '2017-06-01', '2017-10-01', '2018-02-01', '2018-07-01', '2018-11-01', '2019-04-01'],
    ...['2019-06-01', '2020-08-01-preview', '2021-01-01', '2021-02-01', '2021-04-01', '2021-05-01', '2021-06-01'],
    ...['2021-08-01', '2021-09-01', '2022-05-01', '2022-09-01', '2023-01-01', '2023-04-01', '2023-05-01', '2024-01-01'],
    ...['2025-01-01', '2025-06-01', '2025-08-01', '2026-04-01', '2026-06-01', '2026-09-01'],
  ],
  'microsoft.keyvault': [
    ...['2015-06-01', '2016-10-01', '2018-02-14', '2019-09-01', '2020-04-01-preview', '2021-04-01-preview'],
    ...['2021-06-01-preview', '2021-10-01', '2021-11-01-preview', '2022-02-01-preview', '2022-07-01', '2022-11-01'],
    ...['2023-02-01', '2023-07-01', '2024-04-01-preview', '2024-11-01', '2024-12-01-preview', '2025-05-01'],
    '2026-02-01',
  ],
  'microsoft.managedidentity': [
    ...['2015-08-31-preview', '2018-11-30', '2021-09-30-preview', '2022-01-31-preview', '2023-01-31'],
    ...['2023-07-31-preview', '2024-11-30', '2025-01-31-preview'],
  ],
  'microsoft.authorization/roleassignments': [
    ...['2015-07-01', '2017-10-01-preview', '2018-01-01-preview', '2018-09-01-preview', '2020-03-01-preview'],
    ...['2020-04-01-preview', '2020-08-01-preview', '2020-10-01-preview', '2022-04-01'],
  ],
  'microsoft.authorization/roledefinitions': [
    ...['2015-07-01', '2017-05-01', '2018-01-01-preview', '2022-04-01', '2022-05-01-preview'],
  ],
  'microsoft.authorization/roleassignmentschedule': ['2020-10-01-preview', '2020-10-01', '2024-09-01-preview'],
  'microsoft.authorization/locks': ['2015-01-01', '2016-09-01', '2017-04-01', '2020-05-01'],
  'microsoft.authorization/policyassignments': [
    ...['2018-05-01', '2019-06-01', '2019-09-01', '2020-03-01', '2020-09-01', '2021-06-01', '2022-06-01', '2023-04-01'],
    ...['2024-04-01', '2024-05-01', '2025-01-01', '2025-03-01'],
  ],
  'microsoft.authorization/policysetdefinitions': [
    ...['2018-05-01', '2019-06-01', '2019-09-01', '2020-03-01', '2020-09-01', '2021-06-01', '2023-04-01', '2024-05-01'],
    ...['2025-01-01', '2025-03-01'],
  ],
  'microsoft.authorization/policyexemptions': ['2020-07-01-preview', '2022-07-01-preview', '2024-12-01-preview'],
  'microsoft.authorization/policydefinitions': [
    ...['2018-05-01', '2019-06-01', '2019-09-01', '2020-03-01', '2020-09-01', '2021-06-01', '2023-04-01', '2024-05-01'],
    ...['2025-01-01', '2025-03-01'],
  ],
  'microsoft.policyinsights/policystates': ['2018-04-04', '2019-10-01', '2024-10-01'],
  'microsoft.policyinsights/checkpolicyrestrictions': ['2020-07-01', '2022-03-01', '2023-03-01', '2024-10-01'],
  'microsoft.insights/diagnosticsettings': ['2015-07-01', '2016-09-01', '2017-05-01-preview', '2021-05-01-preview'],
  'microsoft.insights/eventtypes': ['2014-04-01', '2015-04-01'],
  'microsoft.eventgrid': eventGrid,
  'microsoft.resourcegraph': [
    ...['2019-04-01', '2020-04-01-preview', '2020-09-01-preview', '2021-03-01', '2021-06-01-preview', '2022-10-01'],
    '2024-04-01',
  ],
  // For other services: only the versions that the app reads their key users with.
  'microsoft.appconfiguration': ['2024-05-01', '2024-06-01'],
  'microsoft.automation': ['2023-11-01', '2024-10-23'],
  'microsoft.batch': ['2024-07-01', '2025-06-01'],
  'microsoft.cache': ['2024-10-01', '2025-04-01', '2025-07-01'],
  'microsoft.cognitiveservices': ['2024-10-01', '2025-06-01', '2026-05-01'],
  'microsoft.compute': ['2023-10-02', '2024-03-02', '2025-01-02', '2026-03-02'],
  'microsoft.containerregistry': ['2023-07-01', '2025-04-01', '2025-11-01'],
  'microsoft.containerservice': ['2025-05-01', '2026-05-01'],
  'microsoft.datafactory': ['2018-06-01'],
  'microsoft.dataprotection': ['2025-07-01', '2026-03-01'],
  'microsoft.databricks': ['2024-05-01', '2026-01-01'],
  'microsoft.dbformysql': ['2023-12-30', '2024-12-30'],
  'microsoft.dbforpostgresql': ['2024-08-01', '2025-08-01'],
  'microsoft.elasticsan': ['2023-01-01', '2025-09-01'],
  'microsoft.eventhub': ['2024-01-01', '2026-01-01'],
  'microsoft.kusto': ['2024-04-13', '2025-02-14'],
  'microsoft.machinelearningservices': ['2025-06-01', '2026-05-01'],
  'microsoft.operationalinsights': ['2023-09-01', '2025-02-01', '2025-07-01'],
  'microsoft.recoveryservices': ['2025-02-01', '2026-05-01'],
  'microsoft.servicebus': ['2024-01-01', '2026-01-01'],
  'microsoft.sql': ['2021-11-01', '2023-08-01', '2025-01-01'],
  'microsoft.network': ['2023-08-01-preview', '2024-05-01', '2024-07-01', '2025-07-01'],
};

/** The api-versions of a pattern's type, oldest first; undefined if the type is unknown. */
export function apiVersionsOf(pattern: string): readonly string[] | undefined {
  const type = typeOf(pattern);
  const prefixes = Object.keys(API_VERSIONS).filter((prefix) => type.startsWith(prefix));
  const longest = prefixes.sort((a, b) => b.length - a.length)[0];
  return longest === undefined ? undefined : API_VERSIONS[longest];
}
