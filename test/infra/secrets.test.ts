import { describe, expect, it } from 'vitest';
import { strings } from './arm/json.ts';
import { dryRun, dryRunEvents, MAIN_PARAMETERS, type TemplateName, template } from './arm/templates.ts';

const TEMPLATES: TemplateName[] = ['main', 'events', 'demo', 'policy'];
/** What would bring a secret into a template: functions that list keys, and strings that carry them. */
const SECRET =
  /listKeys|list[A-Z]\w*\(|AccountKey=|SharedAccess|DefaultEndpointsProtocol|sig=|[Pp]assword|clientSecret/;

describe('secrets', () => {
  it.each(TEMPLATES)('are nowhere in the template %s', (name) => {
    expect([...strings(template(name))].filter((text) => SECRET.test(text))).toEqual([]);
  });

  it('are in nothing that the templates put', async () => {
    const main = await dryRun('main', { ...MAIN_PARAMETERS, privateNetwork: true });
    const events = await dryRunEvents(main.outputs);
    const bodies = [...main.azure.resources, ...events.resources].map(({ body }) => JSON.stringify(body));
    expect(bodies.filter((body) => SECRET.test(body))).toEqual([]);
  });

  it('cannot open Application Insights or the workspace: both take tokens only', async () => {
    const { azure } = await dryRun('main', MAIN_PARAMETERS);
    expect(azure.ofType('Microsoft.Insights/components')[0]?.body.properties).toMatchObject({ DisableLocalAuth: true });
    expect(azure.ofType('Microsoft.OperationalInsights/workspaces')[0]?.body.properties).toMatchObject({
      features: { disableLocalAuth: true },
    });
  });
});
