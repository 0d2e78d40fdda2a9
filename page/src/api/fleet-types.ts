export interface FleetRow {
  readonly name: string;
  readonly id: string;
  readonly subscription: string;
  readonly resourceGroup: string;
  readonly region: string;
  readonly key?: string;
  readonly vault?: string;
  readonly version?: string;
  readonly mode?: 'pinned' | 'automatic';
  readonly scopes?: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly health: {
    readonly state: 'Revoked' | 'Blocked' | 'NoAccess' | 'NotManaged' | 'Stale' | 'Unknown' | 'Serving';
    readonly cause?: {
      readonly id: string;
      readonly reason: string;
      readonly about: readonly string[];
      readonly label: string;
    };
    readonly since?: string;
  };
  readonly findingCount: number;
  readonly lastRead: string;
  readonly lastChecked?: string;
}
export interface FleetList {
  readonly value: readonly FleetRow[];
  readonly nextLink?: string;
  readonly matched: number;
  readonly summary: {
    readonly text: string;
    readonly accounts: number;
    readonly states: Readonly<Record<FleetRow['health']['state'], number>>;
  };
  readonly warnings: readonly string[];
}
