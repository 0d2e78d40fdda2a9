/**
 * One caller who asks and revokes as fast as a script can: 1,000 status calls and 1,000 revocations at the same time, each
 * with another reason, half of them of one key and the others of as many keys as there are calls.
 */
const [url = '', vault = '', key = '', ...others] = process.argv.slice(2);
const headers = { authorization: `Bearer ${process.env.FLOOD_TOKEN}`, 'content-type': 'application/json' };
const CALLS = 1_000;
const LOOKS = ['keys', 'audit', 'audit/verification', 'trend'];

async function statusOf(path: string, init: RequestInit = {}): Promise<number> {
  try {
    const answer = await fetch(`${url}/${path}`, { headers, ...init });
    await answer.arrayBuffer();
    return answer.status;
  } catch {
    return 0; // the connection was closed: there are thousands
  }
}

function nameOf(n: number): string {
  if (n % 2 === 0) return key;
  return others[(n - 1) / 2] ?? `no-such-key-${n}`;
}

/** Something that is open to anyone, in the place of all that. */
const { FLOOD_PATH } = process.env;

const calls = Array.from({ length: CALLS }, (_, n) => {
  if (FLOOD_PATH !== undefined) return [statusOf(FLOOD_PATH)];
  const path = `${vault}/${nameOf(n)}`;
  const body = JSON.stringify({ reason: `A script runs wild, number ${n}`, confirm: path });
  const look = n % 5 === 0 ? [statusOf(`api/${LOOKS[(n / 5) % LOOKS.length]}`)] : [];
  return [statusOf(`api/keys/${path}`), statusOf(`api/keys/${path}/revoke`, { method: 'POST', body }), ...look];
}).flat();
await Promise.race(calls);
console.info('under way');
const statuses = await Promise.all(calls);
console.info(`answered ${statuses.length} with ${[...new Set(statuses)].sort().join(', ')}`);
