// Microsoft's own parser and binder of KQL, over a workspace with the tables that a query is to find there.
import '@kusto/language-service-next/bridge.min.js';
import '@kusto/language-service-next/Kusto.Language.Bridge.min.js';

/** What is used of the library, which puts itself into the global scope. */
interface KustoLanguage {
  readonly KustoCode: { ParseAndAnalyze(query: string, globals: unknown): { GetDiagnostics(): Diagnostics } };
  readonly GlobalState: { readonly Default: { WithDatabase(database: unknown): unknown } };
  readonly Symbols: {
    readonly TableSymbol: { From(schema: string): { WithName(name: string): unknown } };
    readonly DatabaseSymbol: {
      readonly $ctor3: new (name: string, alternateName: null, members: unknown[], isOpen: boolean) => unknown;
    };
  };
}

interface Diagnostics {
  readonly Count: number;
  getItem(index: number): { readonly Severity: string; readonly Message: string };
}

const { KustoCode, GlobalState, Symbols } = (globalThis as unknown as { Kusto: { Language: KustoLanguage } }).Kusto
  .Language;

/** Columns by name of table, as in the reference of Azure Monitor's tables; those alone that queries here may use. */
export type Tables = Readonly<Record<string, string>>;

/** Written by every host that runs. */
export const ALWAYS_THERE: Tables = {
  AppTraces:
    'TimeGenerated: datetime, Message: string, SeverityLevel: int, OperationName: string, OperationId: string, Properties: dynamic',
  AppMetrics:
    'TimeGenerated: datetime, Name: string, Sum: real, Min: real, Max: real, ItemCount: int, Properties: dynamic',
};

/** Without rows, or made late: Azure may not know them. */
export const OPTIONAL: Tables = {
  AppExceptions: 'TimeGenerated: datetime, ExceptionType: string, OuterMessage: string, Properties: dynamic',
  AppRequests: 'TimeGenerated: datetime, OperationName: string, Success: bool, ResultCode: string, Properties: dynamic',
  StorageBlobLogs:
    'TimeGenerated: datetime, Category: string, OperationName: string, StatusText: string, ObjectKey: string, RequesterObjectId: string, AuthenticationType: string',
  StorageQueueLogs:
    'TimeGenerated: datetime, Category: string, OperationName: string, StatusText: string, ObjectKey: string, RequesterObjectId: string, AuthenticationType: string',
  AzureDiagnostics:
    'TimeGenerated: datetime, ResourceProvider: string, Resource: string, OperationName: string, ResultSignature: string, id_s: string',
};

/** @returns what the library calls an error in the query, over a workspace that has these tables alone */
export function errorsIn(query: string, tables: Tables): string[] {
  const symbols = Object.entries(tables).map(([name, columns]) =>
    Symbols.TableSymbol.From(`(${columns})`).WithName(name),
  );
  const workspace = new Symbols.DatabaseSymbol.$ctor3('workspace', null, symbols, false);
  const found = KustoCode.ParseAndAnalyze(query, GlobalState.Default.WithDatabase(workspace)).GetDiagnostics();
  const all = Array.from({ length: found.Count }, (_, index) => found.getItem(index));

  return all.filter(({ Severity }) => Severity === 'Error').map(({ Message }) => Message);
}
