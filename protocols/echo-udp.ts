import { type Peer, UdpHandler } from 'polyport'

/** Sends each datagram back: try `echo hi | nc -u -w1 127.0.0.1 5292`. */
export default class EchoUdp extends UdpHandler {
  override onPacket(packet: Buffer, peer: Peer): void {
    peer.send(packet)
  }
}
