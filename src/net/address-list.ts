import { BlockList, isIP } from 'node:net'
import { parseCidr } from '../config/cidr.ts'

// Looking an address up takes a microsecond: the last ones are remembered, as datagrams come by the thousand from one address.
const MAX_KNOWN = 1024

/** Addresses of the config: alone, as CIDR, or `unix` for whoever connects by a unix socket. */
export class AddressList {
  readonly #list = new BlockList()
  readonly #hasUnix: boolean
  readonly #known = new Map<string, boolean>()

  constructor(entries: readonly string[]) {
    this.#hasUnix = entries.includes('unix')
    for (const entry of entries) {
      const cidr = parseCidr(entry)
      if (cidr !== undefined) this.#list.addSubnet(cidr.address, cidr.prefix, cidr.family)
    }
  }

  /** @param address `''` for a client of a unix socket */
  has(address: string): boolean {
    if (address === '') return this.#hasUnix
    const known = this.#known.get(address)
    if (known !== undefined) return known
    const isIn = this.#check(address)
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    this.#known.set(address, isIn)
    return isIn
  }

  #check(address: string): boolean {
    const version = isIP(address)
    // A link-local address names its interface; what is no address is in no list.
    return version !== 0 && this.#list.check(address.replace(/%.*$/, ''), version === 4 ? 'ipv4' : 'ipv6')
  }
}

/** Who may come: `allow`, and of those not `deny`. Undefined when everybody may. */
export function accessRule(config: {
  readonly allow?: readonly string[] | undefined
  readonly deny: readonly string[]
}): ((address: string) => boolean) | undefined {
  const allow = config.allow && new AddressList(config.allow)
  const deny = config.deny.length > 0 ? new AddressList(config.deny) : undefined
  if (allow === undefined && deny === undefined) return undefined
  return (address) => deny?.has(address) !== true && allow?.has(address) !== false
}
