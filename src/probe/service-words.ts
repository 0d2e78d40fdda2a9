/** Services of a storage account that the probe calls, in words. */
export const SERVICE_WORDS = {
  file: {
    place: 'share',
    places: 'file shares',
    /** Result for an account without a share or container that contains data. */
    nothing: 'The account has no file share to list.',
    /** The role that the app needs to list data. */
    role: 'Storage File Data Privileged Reader',
  },
  blob: {
    place: 'container',
    places: 'blob containers',
    nothing: 'The account has no blob that its own key encrypts.',
    role: 'CMK Autopilot blob lister',
  },
} as const;

export type DataService = keyof typeof SERVICE_WORDS;
