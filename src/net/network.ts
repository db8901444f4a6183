const WORDS = 8
// What one customer is given at least (RFC 6177): who has one of its addresses can use all of them.
const NETWORK_WORDS = 4

/** What limits per address count by: an IPv4 address itself, the /64 network of an IPv6 address. */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.replace(/%.*$/, '').toLowerCase().split('::')
  const words = wordsOf(head)
  if (tail !== undefined) {
    const end = wordsOf(tail)
    words.push(...Array<string>(Math.max(0, WORDS - words.length - end.length)).fill('0'), ...end)
  }
  return `${words.slice(0, NETWORK_WORDS).join(':')}::/64`
}

function wordsOf(part: string): string[] {
  // An IPv4 address at the end is two words.
  return part === '' ? [] : part.split(':').flatMap((word) => (word.includes('.') ? [word, ''] : [word]))
}
