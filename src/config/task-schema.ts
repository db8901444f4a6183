import { z } from 'zod'

/** The sections of the config for tasks and events. */

const MIB = 1024 * 1024
const module = z.string().min(1)

export const tasksSchema = z
  .strictObject({
    workers: z.int().min(1).max(256).default(1).describe('Task workers: processes that run tasks and what listens to events.'),
    concurrency: z.int().min(1).max(10_000).default(1).describe('How many tasks one task worker runs at the same time.'),
    modules: z
      .array(module)
      .default([])
      .describe('Modules: every exported class that extends `Task` is known by its name. Files relative to the config file, or names of packages.'),
    dataDir: z.string().min(1).optional().describe('Where tasks are kept on disk, in the folder `tasks`. `dataDir` of the top level when absent.'),
    maxQueued: z.int().min(1).max(100_000_000).default(1_000_000).describe('How many tasks may wait or run; more are refused with `QueueFullError`.'),
    maxFailed: z.int().min(1).max(10_000_000).default(10_000).describe('How many tasks that have failed are kept; the oldest goes for one more.'),
    maxPayload: z
      .int()
      .min(1024)
      .max(1024 * MIB)
      .default(16 * MIB)
      .describe('The largest input or output of a task, in bytes.'),
  })
  .describe('Tasks: work that is kept on disk until it is done.')

export const eventsSchema = z
  .strictObject({
    modules: z
      .array(module)
      .min(1)
      .describe(
        'Modules that export the events, classes that extend `AsyncEvent`, and what listens to them. Files relative to the config file, or names of packages.',
      ),
    listeners: z
      .record(z.string().min(1), z.array(z.string().min(1)))
      .default({})
      .describe('Who listens to an event: names of exported classes, by the name of the event. Each runs as a task of its own.'),
  })
  .describe('Events: what happens, and who is told, in a task worker.')

export type TasksConfig = Omit<z.output<typeof tasksSchema>, 'dataDir'> & { readonly dataDir: string }
export type EventsConfig = z.output<typeof eventsSchema>
