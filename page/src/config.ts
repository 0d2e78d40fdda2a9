import type { PageConfig } from '../../src/api/page/page-config.ts';

/** Undefined if the app's settings allow no caller. */
export function readConfig(): PageConfig | undefined {
  const text = document.querySelector<HTMLMetaElement>('meta[name="cmk-page"]')?.content ?? '{}';
  const config = JSON.parse(text) as Partial<PageConfig>;
  return config.clientId === undefined ? undefined : (config as PageConfig);
}
