/** One caller who asks and revokes as fast as a script can: 200 status calls and 300 revocations at the same time. */
const [url = '', key = ''] = process.argv.slice(2);
const headers = { authorization: `Bearer ${process.env.FLOOD_TOKEN}`, 'content-type': 'application/json' };
const body = JSON.stringify({ reason: 'A script runs wild', confirm: key.replace('/keys/', '') });

async function statusOf(answering: Promise<Response>): Promise<number> {
  const answer = await answering;
  await answer.arrayBuffer();
  return answer.status;
}

const calls = [
  ...Array.from({ length: 200 }, () => statusOf(fetch(`${url}/api${key}`, { headers }))),
  ...Array.from({ length: 300 }, () => statusOf(fetch(`${url}/api${key}/revoke`, { method: 'POST', headers, body }))),
];
await Promise.race(calls);
console.info('under way');
const statuses = await Promise.all(calls);
console.info(`answered ${statuses.length} with ${[...new Set(statuses)].join(', ')}`);
