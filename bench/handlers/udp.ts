import { type Peer, UdpHandler } from 'polyport'

export default class Echo extends UdpHandler {
  override onPacket(packet: Buffer, peer: Peer): void {
    peer.send(packet)
  }
}
