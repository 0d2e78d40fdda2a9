import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OTHER_SUBSCRIPTION, OTHER_VAULT, SUBSCRIPTION, VAULT } from './arm/templates.ts';

const root = join(import.meta.dirname, '../..');
const topic = (subscription: string, name: string, source: string) => ({
  id: `/subscriptions/${subscription}/resourceGroups/rg-events/providers/Microsoft.EventGrid/systemTopics/${name}`,
  name,
  properties: { source },
});

let bin: string;
beforeEach(() => {
  bin = mkdtempSync(join(tmpdir(), 'cmk-find-topics-'));
});
afterEach(() => rmSync(bin, { recursive: true }));

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
  writeFileSync(join(bin, 'listed.json'), JSON.stringify({ value: world.listed }));
  writeFileSync(join(bin, 'elsewhere.json'), JSON.stringify({ data: world.elsewhere }));
  const az = `#!/bin/sh
echo "$*" >> ${bin}/calls
case "$*" in
  *ResourceGraph*) cat ${bin}/elsewhere.json ;;
  *${OTHER_SUBSCRIPTION}/providers/Microsoft.EventGrid*) ${world.refused === undefined ? `echo '{"value":[]}'` : `echo "${world.refused}" >&2; exit 1`} ;;
  *'/providers/Microsoft.EventGrid/systemTopics?'*) cat ${bin}/listed.json ;;
  *"--ids ${world.gone ?? 'none'}"*) echo '(ResourceNotFound) gone' >&2; exit 3 ;;
  *) echo '{}' ;;
esac
`;
  writeFileSync(join(bin, 'az'), az, { mode: 0o755 });
  const azd = `#!/bin/sh
case "$*" in
  ${world.knownToAzd === false ? '*' : 'nothing'}) echo 'no such environment' >&2; exit 1 ;;
  '--no-prompt env get-value AZURE_ENV_NAME -e '*) echo prod ;;
  *) printf '%s\\n' "$@" > ${bin}/azd-called ;;
esac
`;
  writeFileSync(join(bin, 'azd'), azd, { mode: 0o755 });
  return spawnSync(process.execPath, ['scripts/infra/find-topics.ts'], {
    cwd: root,
    encoding: 'utf8',
    env: {
      PATH: `${bin}:${process.env.PATH}`,
      CMK_VAULTS: `${VAULT} ${OTHER_VAULT}`,
      ...(world.environment ? { AZURE_ENV_NAME: world.environment } : {}),
    },
  });
}

const said = (stdout: string): unknown => JSON.parse(stdout.slice(stdout.indexOf('{')));

describe('the search for system topics before a deployment', () => {
  it('finds them in the subscriptions of the vaults, and elsewhere, and keeps them for the template', () => {
    const mine = topic(SUBSCRIPTION, 'mine', VAULT.toUpperCase());
    const theirs = topic('33333333-3333-3333-3333-333333333333', 'theirs', OTHER_VAULT);
    const { stdout, stderr, status } = find({ listed: [mine], elsewhere: [theirs], environment: 'prod' });
    expect([stderr, status]).toEqual(['', 0]);
    const found = { [VAULT.toLowerCase()]: mine.id, [OTHER_VAULT.toLowerCase()]: theirs.id };
    expect(said(stdout)).toEqual(found);
    const [, , , name, value, , environment] = readFileSync(join(bin, 'azd-called'), 'utf8').split('\n');
    expect([name, JSON.parse(value ?? ''), environment]).toEqual(['CMK_SYSTEM_TOPICS', found, 'prod']);
    // Only what no list showed is asked of Resource Graph, which lags.
    const query = readFileSync(join(bin, 'calls'), 'utf8')
      .split('\n')
      .find((call) => call.includes('ResourceGraph'));
    expect(query).toContain(OTHER_VAULT.toLowerCase());
    expect(query).not.toContain(VAULT.toLowerCase());
  });

  it('prints them where azd is there for something else, as it is where a deployment goes without it', () => {
    const mine = topic(SUBSCRIPTION, 'mine', VAULT);
    const { stdout, stderr, status } = find({ listed: [mine], elsewhere: [], environment: 'prod', knownToAzd: false });
    expect([stderr, status]).toEqual(['', 0]);
    expect(said(stdout)).toEqual({ [VAULT.toLowerCase()]: mine.id });
  });

  it('takes a subscription that never had an event for one without topics: the deployment registers it', () => {
    const mine = topic(SUBSCRIPTION, 'mine', VAULT);
    const refused = `ERROR: Conflict({"error":{"code":"MissingSubscriptionRegistration","message":"The subscription is not registered to use namespace 'Microsoft.EventGrid'."}})`;
    const { stdout, stderr, status } = find({ listed: [mine], elsewhere: [], refused: refused.replaceAll('"', '\\"') });
    expect([stderr, status]).toEqual(['', 0]);
    expect(said(stdout)).toEqual({ [VAULT.toLowerCase()]: mine.id });
    // Any other refusal is one: a topic that is there would be written over.
    const other = find({ listed: [mine], elsewhere: [], refused: '(AuthorizationFailed) not you' });
    expect(other).toMatchObject({ status: 1, stderr: expect.stringContaining('not you') });
  });

  it('believes Resource Graph in nothing that is gone by now', () => {
    const theirs = topic('33333333-3333-3333-3333-333333333333', 'theirs', OTHER_VAULT);
    const { stdout, status } = find({ listed: [], elsewhere: [theirs], gone: theirs.id });
    expect(status).toBe(0);
    expect(said(stdout)).toEqual({});
  });
});
