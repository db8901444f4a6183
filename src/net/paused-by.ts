/** Why a connection is not being read. Each holds by itself: a drain does not undo what the handler asked for. */
export const PausedBy = { handler: 1, queue: 2, output: 4, move: 8, bus: 16 } as const
