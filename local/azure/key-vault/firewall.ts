import { BlockList, isIPv4 } from 'node:net';
import { asArray, asObject, asString } from '../json.ts';
import type { Caller } from '../service.ts';
import type { Vault, World } from '../world.ts';
import { forbidden } from './errors.ts';

type PublicAccess = 'enabled' | 'disabled' | 'securedbyperimeter';

interface Network {
  readonly publicAccess: PublicAccess;
  readonly allowsAll: boolean;
  readonly allowsTrustedServices: boolean;
  readonly addresses: readonly string[];
}

/** Without settings a vault is open (Key Vault, REST, "NetworkRuleSet"). */
function networkOf({ properties }: Vault): Network {
  const rules = asObject(properties.networkAcls) ?? {};
  const rulesOfAddresses = asArray(rules.ipRules) ?? [];
  return {
    publicAccess: (asString(properties.publicNetworkAccess)?.toLowerCase() ?? 'enabled') as PublicAccess,
    allowsAll: asString(rules.defaultAction)?.toLowerCase() !== 'deny',
    allowsTrustedServices: asString(rules.bypass)?.toLowerCase() !== 'none',
    addresses: rulesOfAddresses.flatMap((rule) => asString(asObject(rule)?.value) ?? []),
  };
}

/**
 * Whether Storage reaches a vault: as a trusted service, or because the vault is open. A perimeter ends that bypass,
 * and no account is in one, since the tenant has none (Key Vault, "network security").
 */
export function letsStorageIn(vault: Vault): boolean {
  const { publicAccess, allowsAll, allowsTrustedServices } = networkOf(vault);
  if (publicAccess === 'securedbyperimeter') return false;
  return allowsTrustedServices || (allowsAll && publicAccess === 'enabled');
}

/**
 * Throws the 403 of a vault's firewall. All clients come from this machine, so the setting `callerAddress` is the
 * address that a vault sees. A private address stands for a private endpoint, which the firewall does not check.
 */
export function requireNetwork(world: World, vault: Vault, { principal }: Caller): void {
  const { callerAddress } = world.settings;
  const { publicAccess, allowsAll, addresses } = networkOf(vault);

  if (covers(PRIVATE, callerAddress)) return;

  const where = [
    `Caller: appid=${principal.clientId};oid=${principal.objectId};iss=https://sts.windows.net/${world.tenantId}/`,
    `Vault: ${vault.name};location=${vault.location}`,
  ];

  if (publicAccess !== 'enabled') {
    const why =
      'Public network access is disabled and request is not from a trusted service nor via an approved private link.';
    throw forbidden([why, ...where].join('\r\n'), 'ForbiddenByConnection');
  }

  if (allowsAll || covers(addresses, callerAddress)) return;

  const why = 'Client address is not authorized and caller is not a trusted service.';

  throw forbidden([why, `Client address: ${callerAddress}`, ...where].join('\r\n'), 'ForbiddenByFirewall');
}

/** RFC 1918. */
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'];

/** Whether an address is in one of the ranges in CIDR notation. */
function covers(ranges: readonly string[], address: string): boolean {
  const list = new BlockList();
  for (const range of ranges) {
    const [network = '', prefix = '32'] = range.split('/');
    if (isIPv4(network)) list.addSubnet(network, Number(prefix));
  }
  return list.check(address);
}
