/**
 * Reads each subject once in a run, such as a drift check: later callers share the read, failed or not. For reads of an
 * instance, which go out of date, see `ReadCache`.
 *
 * @param nameOf name of a subject, regardless of letter case
 */
export function readOnce<S, T>(read: (subject: S) => Promise<T>, nameOf: (subject: S) => string = String) {
  const reads = new Map<string, Promise<T>>();

  return {
    get(subject: S): Promise<T> {
      const name = nameOf(subject).toLowerCase();
      const reading = reads.get(name) ?? read(subject);
      reads.set(name, reading);

      return reading;
    },
    /** Everything read so far. */
    all: () => Promise.all(reads.values()),
  };
}
