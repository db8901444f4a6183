import { z } from 'zod'

/** The sections of the config for what runs beside the ports. */

const options = (owner: string): z.ZodDefault<z.ZodRecord<z.ZodString, z.ZodUnknown>> =>
  z.record(z.string(), z.unknown()).default({}).describe(`Anything: handed to the ${owner} as \`this.options\`.`)
const module = z.string().min(1)

const YEAR_MS = 366 * 24 * 60 * 60 * 1000

const job = z
  .strictObject({
    class: z.string().min(1).describe('The name of an exported class of `modules`.'),
    enabled: z.boolean().default(true).describe('Whether the timer runs.'),
    interval: z.number().min(1).max(YEAR_MS).optional().describe('Milliseconds from one run to the next.'),
    schedule: z.string().min(1).optional().describe('A cron expression of five fields, or six with seconds first.'),
    timezone: z.string().min(1).optional().describe('The time zone of the schedule, such as `Europe/Berlin`.'),
    immediate: z.boolean().optional().describe('Whether it also runs at once when it is started.'),
    overlap: z.boolean().optional().describe('Whether a run may begin while the one before is not done.'),
    options: options('timer'),
  })
  .describe('What is otherwise for one timer: the keys that are here override the members of its class.')

export const timersSchema = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Whether there are timers; they are checked all the same.'),
    modules: z
      .array(module)
      .min(1)
      .describe('Modules: every exported class that extends `Timer` is run, in one process. Files relative to the config file, or names of packages.'),
    jobs: z.array(job).default([]).describe('Parameters of single timers. A timer that is not here runs as its class says.'),
    globalLock: z
      .boolean()
      .default(false)
      .describe('Whether of several machines only one runs the timers. Needs Redis, which this version has no use for yet: only `false` can be used.'),
    maxWaitSeconds: z.number().min(0).max(86400).default(5).describe('How long a reload or a stop waits for runs that are under way.'),
  })
  .describe('Timers: work that is done again and again.')

export const processSchema = z
  .strictObject({
    module: module.describe(
      'A module whose default export is a class that extends `CustomProcess`: a file relative to the config file, or the name of a package.',
    ),
    count: z.int().min(1).max(256).default(1).describe('How many processes of it run.'),
    restartSeconds: z
      .number()
      .min(0)
      .max(86400)
      .default(5)
      .describe('How long after its end it is started again; longer while it keeps ending within seconds.'),
    enabled: z.boolean().default(true).describe('Whether it is started; it is checked all the same.'),
    stdio: z.enum(['log', 'inherit']).default('log').describe('What becomes of what it prints to stdout and stderr: a log line for each line, or as it is.'),
    options: options('process'),
  })
  .describe('A process of your own beside the workers.')

export const lifecycleSchema = z
  .array(module)
  .default([])
  .describe('Modules that export any of `onDaemonStart`, `onDaemonStop`, `onWorkerStart`, `onWorkerStop` and `onWorkerError`.')

export type TimersConfig = z.output<typeof timersSchema>
export type TimerJobConfig = z.output<typeof job>
export type ProcessConfig = z.output<typeof processSchema>
