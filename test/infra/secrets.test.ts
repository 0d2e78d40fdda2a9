import { expect, it } from 'vitest';
import { strings } from './arm/json.ts';
import { dryRun, dryRunEvents, MAIN_PARAMETERS, template } from './arm/templates.ts';

/** What would bring a secret into a template: functions that list keys, and strings that carry them. */
const SECRET =
  /listKeys|list[A-Z]\w*\(|AccountKey=|SharedAccess|DefaultEndpointsProtocol|sig=|[Pp]assword|clientSecret/;

it.each(['main', 'events', 'demo', 'policy'] as const)('no secret is in the template %s', (name) => {
  expect([...strings(template(name))].filter((text) => SECRET.test(text))).toEqual([]);
});

it('no template outputs a secret, and Application Insights and the workspace accept tokens only', async () => {
  const { azure, outputs } = await dryRun('main', { ...MAIN_PARAMETERS, privateNetwork: true });
  const put = [...azure.resources, ...(await dryRunEvents(outputs)).resources];
  expect(put.map(({ body }) => JSON.stringify(body)).filter((body) => SECRET.test(body))).toEqual([]);
  expect(azure.values('Microsoft.Insights/components', 'DisableLocalAuth')).toEqual([true]);
  expect(azure.values('Microsoft.OperationalInsights/workspaces', 'features', 'disableLocalAuth')).toEqual([true]);
});
