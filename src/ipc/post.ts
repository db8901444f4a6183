import type { Place, Role } from './messages.ts'

/** A process of the daemon that lives now. */
export interface Member extends Place {
  /** Different for every process that ever ran in this daemon. */
  readonly owner: number
  /** Another one has its place already: it ends what it is at. */
  readonly isLeaving: boolean
}

/**
 * Messages between any two processes of the daemon: plain data, structured-cloned, under a topic, in order. One that is sent to a process which
 * ends meanwhile is lost: who needs to know asks for an answer, or watches the members.
 */
export interface Post {
  readonly self: Member
  /** The processes that others can reach now, this one among them. */
  members(role?: Role): readonly Member[]
  /** The process that has a place now. */
  at(place: Place): Member | undefined
  /** Called whenever processes have come or gone. */
  onMembers(listener: () => void): void
  /**
   * @returns false when that process is not there
   * @throws Error for what cannot be cloned
   */
  send(to: { readonly owner: number }, topic: string, body: unknown): boolean
  /** What is sent under a topic comes here. There is one listener a topic. */
  on(topic: string, listener: (body: unknown, from: Member) => void): void
  /**
   * Resolves with what the `answer` function of the topic returns there.
   * @param options.whom who is asked, for errors
   * @throws UnreachableError when that process is not there or ends before it has answered, RequestTimeoutError, Error for what cannot be cloned; an Error like the one that was thrown there
   */
  request(to: { readonly owner: number }, topic: string, body: unknown, options?: { timeoutMs?: number; whom?: string }): Promise<unknown>
  /** Answers what is requested under a topic. What it throws is thrown there. */
  answer(topic: string, answerer: (body: unknown, from: Member) => unknown): void
  /** Bytes that wait for a process that does not take them: who sends much looks at this. */
  backlog(to: { readonly owner: number }): number
}
