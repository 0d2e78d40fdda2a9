const NAMES = /^(CredentialUnavailable|AggregateAuthentication|AuthenticationRequired|Authentication)Error$/;
/** Entra ID's message, without its trace ids (Microsoft Entra, "Authentication and authorization error codes"). */
const ENTRA_ERROR = /AADSTS\d+: .+?(?= (?:- )?(?:Trace ID|Correlation ID|Timestamp)|$)/m;

/**
 * Reads an error of a credential of @azure/identity; undefined for every other error. `none`: not signed in. `refused`:
 * Entra ID rejected the sign-in. `unreachable`: Entra ID did not answer.
 */
export function findSignInTrouble(error: unknown) {
  if (!(error instanceof Error) || !NAMES.test(error.name)) return undefined;

  const text = error.message;
  const [refusal] = ENTRA_ERROR.exec(text) ?? [];
  const ofEnvironment = /EnvironmentCredential authentication failed/.test(text);

  if (refusal) {
    return {
      kind: 'refused' as const,
      message: `Entra ID rejected the sign-in${ofEnvironment ? ' of the environment' : ''}: ${refusal}`,
      nextStep: ofEnvironment
        ? 'Correct AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or unset them to use the sign-in of `az login`.'
        : 'Run `az login` again, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.',
    };
  }

  if (/network_error/.test(text)) {
    return {
      kind: 'unreachable' as const,
      message: 'Entra ID could not be reached for a token.',
      nextStep: 'Check the network and its proxy (HTTPS_PROXY), and run the command again.',
    };
  }

  return {
    kind: 'none' as const,
    message: 'You are not signed in to Azure, or the sign-in has expired.',
    nextStep: 'Run `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.',
  };
}
