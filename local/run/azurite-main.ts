import { startAzurite } from './azurite.ts';

// Azurite as a process: one line of JSON when it is ready, then silence until SIGTERM.
const azurite = await startAzurite();
console.log(JSON.stringify({ connectionString: azurite.connectionString }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => azurite.stop().then(() => process.exit(0)));
}
