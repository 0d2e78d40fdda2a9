import type { PageConfig } from '../../src/page/page-config.ts';

/** Undefined when the app is not set up for anybody to call it. */
export function readConfig(): PageConfig | undefined {
  const text = document.querySelector<HTMLMetaElement>('meta[name="cmk-page"]')?.content ?? '{}';
  const config = JSON.parse(text) as Partial<PageConfig>;
  return config.clientId === undefined ? undefined : (config as PageConfig);
}
