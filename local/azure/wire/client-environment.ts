/**
 * Environment variables that connect an unmodified process to the local Azure. Node, Python and curl each have their
 * own.
 */
export function clientEnvironment(at: {
  proxyUrl: string;
  caPath: string;
  identityEndpoint: string;
  identityHeader: string;
}): Record<string, string> {
  const local = '127.0.0.1,localhost';

  return {
    HTTPS_PROXY: at.proxyUrl,
    https_proxy: at.proxyUrl,
    NO_PROXY: local,
    no_proxy: local,
    // Node reads it only at its start.
    NODE_EXTRA_CA_CERTS: at.caPath,
    // Without this, Node's own fetch ignores HTTPS_PROXY (22.21 or later).
    NODE_USE_ENV_PROXY: '1',
    REQUESTS_CA_BUNDLE: at.caPath,
    SSL_CERT_FILE: at.caPath,
    CURL_CA_BUNDLE: at.caPath,
    IDENTITY_ENDPOINT: at.identityEndpoint,
    IDENTITY_HEADER: at.identityHeader,
  };
}
