/**
 * Finds the system topics that the managed vaults have already: Azure allows one for each vault, and it may be in another
 * resource group or subscription, by any name. azd runs this before it provisions (azure.yaml); by hand, prints them:
 *
 *   CMK_VAULTS=/subscriptions/… npx node scripts/infra/find-topics.ts
 */
import { AzError, armList, armQuery, isGone } from './az.ts';
import { type SystemTopic, topicOf } from './event-parameters.ts';
import { run } from './run.ts';

/** Topics as Azure Resource Manager lists them in the vaults' subscriptions, and as Resource Graph finds them elsewhere. */
export function findTopics(vaultIds: readonly string[]): SystemTopic[] {
  const subscriptions = new Set(vaultIds.map((id) => (id.split('/')[2] ?? '').toLowerCase()));
  const listed = [...subscriptions].flatMap(topicsIn);
  const missing = vaultIds.filter((id) => !topicOf(id, listed));
  if (missing.length === 0) return listed;
  // Resource Graph lags: what it shows may be gone by now.
  const elsewhere = (armQuery(topicQuery(missing)) as SystemTopic[]).filter(({ id }) => !isGone(id));
  return [...listed, ...elsewhere];
}

/** A subscription that was never registered for Event Grid has none; the deployment, which comes after this, registers it. */
function topicsIn(subscriptionId: string): SystemTopic[] {
  try {
    const path = `/subscriptions/${subscriptionId}/providers/Microsoft.EventGrid/systemTopics`;
    return armList(path, '2025-02-15') as SystemTopic[];
  } catch (error) {
    if (error instanceof AzError && error.message.includes('MissingSubscriptionRegistration')) return [];
    throw error;
  }
}

/** The query for the system topics of some vaults, over every subscription that the sign-in sees. */
export function topicQuery(vaultIds: readonly string[]): string {
  const sources = vaultIds.map((id) => `'${id.toLowerCase().replaceAll("'", '')}'`).join(', ');
  return `Resources | where type =~ 'microsoft.eventgrid/systemtopics' and tolower(tostring(properties.source)) in (${sources}) | project id, name, tags, identity, properties`;
}

/** What the parameter `systemTopics` of main.bicep and the setting CMK_SYSTEM_TOPICS of the app take. */
export function topicsByVault(vaultIds: readonly string[], topics: readonly SystemTopic[]): Record<string, string> {
  return Object.fromEntries(
    vaultIds.flatMap((id) => {
      const topic = topicOf(id, topics);
      return topic ? [[id.toLowerCase(), topic.id]] : [];
    }),
  );
}

/** The key vaults of CMK_VAULTS: a Managed HSM sends no events. */
export function keyVaultsIn(text: string | undefined): string[] {
  return (text ?? '').split(/[\s,]+/).filter((id) => /\/vaults\//i.test(id));
}

if (process.argv[1] === import.meta.filename) {
  const { AZURE_ENV_NAME: environment, CMK_VAULTS } = process.env;
  const vaults = keyVaultsIn(CMK_VAULTS);
  if (!CMK_VAULTS) throw new Error('Set CMK_VAULTS to the resource ids of the vaults (azd env set CMK_VAULTS …).');
  const found = JSON.stringify(topicsByVault(vaults, findTopics(vaults)));
  // azd may be there for something else.
  const azd = (...args: string[]) => run('azd', ['--no-prompt', 'env', ...args, '-e', environment ?? '']);
  if (environment && azd('get-value', 'AZURE_ENV_NAME').status === 0) {
    const kept = azd('set', 'CMK_SYSTEM_TOPICS', found);
    if (kept.status !== 0) throw new Error(`azd env set failed: ${kept.stderr}`);
  }
  console.log(`system topics: ${found}`);
}
