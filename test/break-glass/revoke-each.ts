/** A caller who revokes the keys named, one after the other, and prints how long each call took. */
const [url = '', vault = '', ...keys] = process.argv.slice(2);
const headers = { authorization: `Bearer ${process.env.REVOKER_TOKEN}`, 'content-type': 'application/json' };

// Node loads its client with the first call, which is no part of the app.
await fetch('data:,');
for (const key of keys) {
  const body = JSON.stringify({ reason: 'A laptop was stolen', confirm: `${vault}/${key}` });
  const started = performance.now();
  const answer = await fetch(`${url}/api/keys/${vault}/${key}/revoke`, { method: 'POST', headers, body });
  const { complete } = (await answer.json()) as { complete?: boolean };
  console.info(`${answer.status} ${complete} ${Math.round(performance.now() - started)}`);
}
console.info('done');
