import { UdpHandler } from 'polyport'

/** The same readings by UDP, several in a packet if a device likes. One that is wrong is left out: UDP has no answers. */
export default class Packets extends UdpHandler {
  override onPacket(packet: Buffer): void {
    for (const line of packet.toString().trimEnd().split('\n')) {
      const [, device = '', value = ''] = /^([\w-]{1,32}) (-?\d+(?:\.\d+)?)\r?$/.exec(line) ?? []
      if (device === '') {
        this.log.debug('A packet has a line that is no reading')
        continue
      }
      const reading = { value: Number(value), at: Date.now() }
      this.daemon.tables.transaction(() => {
        this.daemon.tables['last']?.set(device, reading)
        this.daemon.tables['inbox']?.set(String(this.daemon.counter('readings').add(1)).padStart(16, '0'), { device, ...reading })
      })
    }
  }
}
