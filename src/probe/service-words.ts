/** Services of a storage account that the probe calls, in words; the page shows them too. */
export const SERVICE_WORDS = {
  file: {
    data: 'files',
    place: 'share',
    places: 'file shares',
    /** Result for an account without a share or container that contains data. */
    nothing: 'The account has no file share to list.',
    /** The role that the app needs to list data. */
    role: 'Storage File Data Privileged Reader',
  },
  blob: {
    data: 'blobs',
    place: 'container',
    places: 'blob containers',
    nothing: 'The account has no blob that its own key encrypts.',
    role: 'CMK Autopilot blob lister',
  },
} as const;

export type DataService = keyof typeof SERVICE_WORDS;
