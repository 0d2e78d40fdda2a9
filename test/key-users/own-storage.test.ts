import { describe, expect, it } from 'vitest';
import { listOwnStorage } from '../../src/settings/own-storage.ts';
import { PUBLIC } from '../support/keys.ts';

describe("the name of the app's own storage", () => {
  it("The name of the app's own storage is the one of the settings", () => {
    const storage = {
      accountName: 'stcmkapp',
      blobUri: 'https://stcmkapp.b',
      queueUri: 'https://stcmkapp.q',
      tableUri: '',
    };
    expect(listOwnStorage({ cloud: PUBLIC, storage })).toEqual(['stcmkapp']);
  });

  it("The names of the app's own storage are those of its accounts, each once", () => {
    const account = (accountName: string) => ({ accountName, blobUri: '', queueUri: '', tableUri: '' });
    const storage = { ...account('stcontrol'), work: account('stwork'), audit: account('stcontrol') };
    expect(listOwnStorage({ cloud: PUBLIC, storage })).toEqual(['stcontrol', 'stwork']);
  });

  it.each([
    ['an emulator', 'UseDevelopmentStorage=true', 'local'],
    [
      'an emulator on its own ports',
      'AccountName=devstoreaccount1;AccountKey=a==;BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;',
      'local',
    ],
    [
      'an emulator by name',
      'AccountName=devstoreaccount1;QueueEndpoint=http://localhost:10001/devstoreaccount1',
      'local',
    ],
    [
      'an account',
      'DefaultEndpointsProtocol=https;AccountName=StCmkApp;AccountKey=a==;EndpointSuffix=core.windows.net',
      'stcmkapp',
    ],
    [
      'an account by its endpoint',
      'BlobEndpoint=https://stcmkapp.blob.core.windows.net/;SharedAccessSignature=sv=1',
      'stcmkapp',
    ],
    ['an account behind a name of its own', 'AccountName=stcmkapp;BlobEndpoint=https://blobs.example.com/', 'stcmkapp'],
    ['a host that tells nothing', 'BlobEndpoint=https://blobs.example.com/;SharedAccessSignature=sv=1', undefined],
    ['an endpoint that is none', 'BlobEndpoint=blobs', undefined],
  ])("The name of the app's own storage is found in a connection string for %s", (_, connectionString, name) => {
    expect(listOwnStorage({ cloud: PUBLIC, storage: { connectionString } })).toEqual(
      name === undefined || name === 'local' ? name : [name],
    );
  });
});
