import { startAzurite } from './azurite.ts';

// Azurite as a process: prints one line of JSON when it is ready, then nothing until SIGTERM.
const azurite = await startAzurite();
console.log(JSON.stringify({ connectionString: azurite.connectionString }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => azurite.stop().then(() => process.exit(0)));
}
