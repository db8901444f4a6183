import { z } from 'zod'

/** The keys of a port that say who gets in and stays: `ports[].allow` and the like. What an address may be is in `admission-rules.ts`. */

const addresses = z.array(z.string().min(1))

export const allow = addresses
  .min(1)
  .optional()
  .describe('The only addresses that get in, alone or as CIDR (`10.0.0.0/8`, `2001:db8::/32`). Everybody when absent.')

export const deny = addresses
  .default([])
  .describe('Addresses that do not get in, alone or as CIDR; `allow` does not help them. Reason `denied`; on a udp port their datagrams are dropped.')

export const proxyProtocol = addresses
  .min(1)
  .optional()
  .describe(
    'Addresses or CIDRs of proxies that begin each connection with a PROXY protocol header, version 1 or 2: the client address that it names is used for everything. `unix` stands for whoever connects by a unix socket.',
  )

export const trustedProxies = addresses
  .min(1)
  .optional()
  .describe(
    'http and websocket: addresses or CIDRs of proxies whose `X-Forwarded-For` is believed; see `clientAddress`. `unix` stands for whoever connects by a unix socket.',
  )

export const heartbeat = z
  .strictObject({
    idleSeconds: z
      .number()
      .min(0.1)
      .max(86_400)
      .default(600)
      .describe('A connection that has sent nothing for so long is closed. A WebSocket is pinged first.'),
    checkSeconds: z
      .number()
      .min(0.1)
      .max(86_400)
      .optional()
      .describe('How often that is looked at, and how long a WebSocket has to answer. The default is 60, or half of `idleSeconds` where that is less.'),
  })
  .optional()
  .describe('Closes connections that are silent, with reason `heartbeat`. Never when absent.')

export type HeartbeatConfig = NonNullable<z.output<typeof heartbeat>>
