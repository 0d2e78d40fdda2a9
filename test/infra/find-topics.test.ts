import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { OTHER_SUBSCRIPTION, OTHER_VAULT, SUBSCRIPTION, VAULT } from './arm/templates.ts';
import { useCommands } from './commands.ts';

const topic = (subscription: string, name: string, source: string) => ({
  id: `/subscriptions/${subscription}/resourceGroups/rg-events/providers/Microsoft.EventGrid/systemTopics/${name}`,
  name,
  properties: { source },
});

const commands = useCommands();

/** The script with stand-ins for the command lines: `az` answers a list, a query of Resource Graph, and whether one is there. */
function find(world: {
  listed: object[];
  elsewhere: object[];
  gone?: string;
  /** What the list of the vaults' other subscription is answered with. */
  refused?: string;
  environment?: string;
  knownToAzd?: boolean;
}) {
  writeFileSync(commands.path('listed.json'), JSON.stringify({ value: world.listed }));
  writeFileSync(commands.path('elsewhere.json'), JSON.stringify({ data: world.elsewhere }));

  const refused = world.refused === undefined ? `echo '{"value":[]}'` : `echo "${world.refused}" >&2; exit 1`;

  commands.put(
    'az',
    `cd "$(dirname "$0")"; echo "$*" >> calls
case "$*" in
  *ResourceGraph*) cat elsewhere.json ;;
  *${OTHER_SUBSCRIPTION}/providers/Microsoft.EventGrid*) ${refused} ;;
  *'/providers/Microsoft.EventGrid/systemTopics?'*) cat listed.json ;;
  *"--ids ${world.gone ?? 'none'}"*) echo '(ResourceNotFound) gone' >&2; exit 3 ;;
  *) echo '{}' ;;
esac`,
  );

  commands.put(
    'azd',
    `case "$*" in
  ${world.knownToAzd === false ? '*' : 'nothing'}) echo 'no such environment' >&2; exit 1 ;;
  '--no-prompt env get-value AZURE_ENV_NAME -e '*) echo prod ;;
  *) printf '%s\\n' "$@" > "$(dirname "$0")/azd-called" ;;
esac`,
  );

  const env = { CMK_VAULTS: `${VAULT} ${OTHER_VAULT}`, AZURE_ENV_NAME: world.environment ?? '' };

  return commands.run(process.execPath, ['scripts/infra/find-topics.ts'], env);
}

const said = (stdout: string): unknown => JSON.parse(stdout.slice(stdout.indexOf('{')));

describe('the search for system topics before a deployment', () => {
  it('The search before a deployment finds system topics in the subscriptions of the vaults and elsewhere, and stores them for the template', () => {
    const mine = topic(SUBSCRIPTION, 'mine', VAULT.toUpperCase());
    const theirs = topic('33333333-3333-3333-3333-333333333333', 'theirs', OTHER_VAULT);
    const { stdout, stderr, status } = find({ listed: [mine], elsewhere: [theirs], environment: 'prod' });

    expect([stderr, status]).toEqual(['', 0]);

    const found = { [VAULT.toLowerCase()]: mine.id, [OTHER_VAULT.toLowerCase()]: theirs.id };
    expect(said(stdout)).toEqual(found);

    const [, , , name, value, , environment] = commands.read('azd-called').split('\n');
    expect([name, JSON.parse(value ?? ''), environment]).toEqual(['CMK_SYSTEM_TOPICS', found, 'prod']);

    // Only what no list showed is asked of Resource Graph, which lags.
    const query = commands
      .read('calls')
      .split('\n')
      .find((call) => call.includes('ResourceGraph'));
    expect(query).toContain(OTHER_VAULT.toLowerCase());
    expect(query).not.toContain(VAULT.toLowerCase());
  });

  it('The search before a deployment prints the system topics if azd serves another project, as in a deployment without azd', () => {
    const mine = topic(SUBSCRIPTION, 'mine', VAULT);
    const { stdout, stderr, status } = find({ listed: [mine], elsewhere: [], environment: 'prod', knownToAzd: false });
    expect([stderr, status]).toEqual(['', 0]);
    expect(said(stdout)).toEqual({ [VAULT.toLowerCase()]: mine.id });
  });

  it('The search for system topics treats a subscription that never had an event as one without topics', () => {
    const mine = topic(SUBSCRIPTION, 'mine', VAULT);
    const refused = `ERROR: Conflict({"error":{"code":"MissingSubscriptionRegistration","message":"The subscription is not registered to use namespace 'Microsoft.EventGrid'."}})`;
    const { stdout, stderr, status } = find({ listed: [mine], elsewhere: [], refused: refused.replaceAll('"', '\\"') });
    expect([stderr, status]).toEqual(['', 0]);
    expect(said(stdout)).toEqual({ [VAULT.toLowerCase()]: mine.id });
    // Any other refusal is one: a topic that is there would be written over.
    const other = find({ listed: [mine], elsewhere: [], refused: '(AuthorizationFailed) not you' });
    expect(other).toMatchObject({ status: 1, stderr: expect.stringContaining('not you') });
  });

  it('The search for system topics ignores topics of Resource Graph that no longer exist', () => {
    const theirs = topic('33333333-3333-3333-3333-333333333333', 'theirs', OTHER_VAULT);
    const { stdout, status } = find({ listed: [], elsewhere: [theirs], gone: theirs.id });
    expect(status).toBe(0);
    expect(said(stdout)).toEqual({});
  });
});
