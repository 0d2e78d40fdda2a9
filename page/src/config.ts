/** What the app tells a browser, so that somebody can sign in; see `src/page/page-config.ts`. */
export interface PageConfig {
  readonly tenantId: string;
  readonly clientId: string;
  readonly authority: string;
  readonly signIn: string;
  readonly issuer: string;
  readonly scope: string;
}

/** Undefined when the app is not set up for anybody to call it. */
export function readConfig(): PageConfig | undefined {
  const text = document.querySelector<HTMLMetaElement>('meta[name="cmk-page"]')?.content ?? '{}';
  const config = JSON.parse(text) as Partial<PageConfig>;
  return config.clientId === undefined ? undefined : (config as PageConfig);
}
