/**
 * One caller who sends 200 reads and 300 revocations at once: the first revocation of each key, and then the same again.
 */
const [url = '', vault = '', ...keys] = process.argv.slice(2);
const headers = { authorization: `Bearer ${process.env.FLOOD_TOKEN}`, 'content-type': 'application/json' };
const READS = 200;
const REVOCATIONS = 300;

async function statusOf(path: string, init: RequestInit = {}): Promise<number> {
  const answer = await fetch(`${url}/api/${path}`, { headers, ...init });
  await answer.arrayBuffer();
  return answer.status;
}

function revoke(n: number): Promise<number> {
  const confirm = `${vault}/${keys[n % keys.length]}`;
  const body = JSON.stringify({ reason: `A script that loops, number ${n}`, confirm });
  return statusOf(`keys/${confirm}/revoke`, { method: 'POST', body });
}

const calls = [
  ...Array.from({ length: REVOCATIONS }, (_, n) => revoke(n)),
  ...Array.from({ length: READS }, (_, n) => statusOf(`keys/${vault}/${keys[n % keys.length]}`)),
];
await Promise.race(calls);
console.info('under way');
const statuses = await Promise.all(calls);
console.info(`answered ${statuses.length} with ${[...new Set(statuses)].sort().join(', ')}`);
