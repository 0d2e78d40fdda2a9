/** What is asked of a request's headers: `Headers` of the platform and of `@azure/functions` both fit. */
export interface HeaderReader {
  get(name: string): string | null;
}
