const BYTE_UNITS = ['KiB', 'MiB', 'GiB', 'TiB']

/** `512 B`, `1.5 KiB`, `80 MiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  let value = bytes / 1024
  let unit = 0
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${BYTE_UNITS[unit]}`
}

/** `42 s`, `3 m 5 s`, `2 h 10 m`, `5 d 1 h`: the two largest units. */
export function formatDuration(seconds: number): string {
  const whole = Math.floor(seconds)
  const parts = [
    { count: Math.floor(whole / 86_400), unit: 'd' },
    { count: Math.floor(whole / 3600) % 24, unit: 'h' },
    { count: Math.floor(whole / 60) % 60, unit: 'm' },
    { count: whole % 60, unit: 's' },
  ]
  const first = Math.min(parts.findIndex(({ count }) => count > 0) === -1 ? 3 : parts.findIndex(({ count }) => count > 0), 3)
  return parts
    .slice(first, first + 2)
    .map(({ count, unit }) => `${count} ${unit}`)
    .join(' ')
}

/** `1,234,567`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US')
}
