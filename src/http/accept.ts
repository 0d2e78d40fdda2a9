/** Whether a media type is asked for by name, and no less than JSON. */
export function prefers(accept: string, type: string): boolean {
  const weights = new Map(
    accept.split(',').map((range) => {
      const [name = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
      const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
      return [name, weight === undefined ? 1 : Number(weight) || 0] as const;
    }),
  );
  const wanted = weights.get(type) ?? 0;
  return wanted > 0 && wanted >= (weights.get('application/json') ?? 0);
}
