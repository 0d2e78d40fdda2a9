/** What Table Storage takes at most ("Understanding the Table service data model"). */
const MOST = {
  /** UTF-16 code units of a string, which may have 64 KiB. */
  property: 32 * 1024,
  /** UTF-16 code units of a key, which may have 1 KiB. */
  key: 512,
  /** Beside the two keys and the time stamp. */
  properties: 252,
  entityBytes: 1024 * 1024,
} as const;

export interface Entity {
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

/**
 * Refuses an entity, as it would be stored, that Azure would not store: Azurite and tables in memory would. The size of a
 * batch is not its business: the client below a port makes batches.
 *
 * @throws Azure's refusal, as the SDK throws it
 */
export function refuseTooLarge({ partitionKey, rowKey, properties }: Entity): void {
  for (const [name, key] of Object.entries({ partitionKey, rowKey })) {
    if (key.length > MOST.key) throw refusal('KeyValueTooLarge', `${name} has ${key.length} characters`);
    if (/[/\\#?\p{Cc}]/u.test(key)) {
      throw refusal('OutOfRangeInput', `${name} has a character that no key may have: ${key}`);
    }
  }

  const names = Object.keys(properties);
  if (names.length > MOST.properties) throw refusal('TooManyProperties', `the entity has ${names.length} properties`);

  for (const [name, value] of Object.entries(properties)) {
    const { length } = String(value);
    if (length > MOST.property) throw refusal('PropertyValueTooLarge', `${name} has ${length} characters`);
  }

  const bytes = sizeOf({ partitionKey, rowKey, properties });
  if (bytes > MOST.entityBytes) throw refusal('EntityTooLarge', `the entity has ${bytes} bytes`);
}

/** By the formula of Azure Storage ("Capacity pricing for tables"): UTF-16, with eight bytes and a type for a property. */
function sizeOf({ partitionKey, rowKey, properties }: Entity): number {
  const keys = 4 + 2 * (partitionKey.length + rowKey.length);
  const sizes = Object.entries(properties).map(([name, value]) => 8 + 2 * name.length + 4 + 2 * String(value).length);
  return sizes.reduce((sum, size) => sum + size, keys);
}

function refusal(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}.`), { statusCode: 400, code });
}
