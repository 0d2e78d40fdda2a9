#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { appOfParent } from './app-by-channel.ts';
import { deadLetterBlobs } from './event-grid/dead-letter-blobs-client.ts';
import { startLocalAzure } from './server.ts';

// node local/azure/main.ts --state-dir .local --functions-host http://127.0.0.1:7071 [--fleet sample]
// Prints one line of JSON when it is ready, and runs until it is stopped or the process that started it ends.
const { values } = parseArgs({
  options: {
    'state-dir': { type: 'string', default: '.local' },
    'functions-host': { type: 'string' },
    fleet: { type: 'string', default: 'sample' },
    /** JSON of the settings that differ from the defaults. */
    settings: { type: 'string', default: '{}' },
    /**
     * The process that started this one runs the app and its storage. It answers questions about them over its channel.
     */
    'app-by-parent': { type: 'boolean', default: false },
    /** Continue when stdin ends, for a start in the background of a shell. */
    detached: { type: 'boolean', default: false },
  },
});

if (values.fleet !== 'sample' && values.fleet !== 'empty') {
  console.error(`--fleet must be sample or empty, not '${values.fleet}'.`);
  process.exit(2);
}

// Connection string of the app's storage, which stores the dead letters. Without it only GET /events shows them.
const storage = process.env.LOCAL_AZURE_STORAGE;

const azure = await startLocalAzure({
  stateDir: values['state-dir'],
  functionsHost: () => values['functions-host'],
  fleet: values.fleet,
  settings: JSON.parse(values.settings),
  ...(values['app-by-parent'] ? { app: appOfParent() } : {}),
  ...(storage ? { storage, writeDeadLetter: deadLetterBlobs(storage) } : {}),
});
let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  await azure.close();
  process.exit(0);
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
if (process.connected) {
  process.on('disconnect', stop);
} else if (!values.detached) {
  process.stdin.on('end', stop);
  process.stdin.on('error', stop);
  process.stdin.resume();
}

// Print this last: the parent may stop this process as soon as it reads it.
const { proxyUrl: proxy, controlUrl: control, signInUrl: signIn, env, owner } = azure;
console.log(JSON.stringify({ proxy, control, signIn, env, owner, storage: azure.storage }));
