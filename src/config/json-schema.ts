import { z } from 'zod'
import { ConfigSchema } from './schema.ts'

/** A JSON Schema, as far as this project reads one. */
export interface JsonSchema {
  readonly $schema?: string
  readonly title?: string
  readonly description?: string
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly pattern?: string
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly items?: JsonSchema
  readonly additionalProperties?: boolean | JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
}

/** The JSON Schema of a config as it is written: `config.schema.json`, and what `polyport schema` prints. */
export function configJsonSchema(): JsonSchema {
  return { ...allowVariables(plainJsonSchema()), title: 'Polyport config' }
}

/** The same without room for variables: what a value is when they are filled in. */
export function plainJsonSchema(): JsonSchema {
  return z.toJSONSchema(ConfigSchema, { io: 'input' }) as JsonSchema
}

const WHOLE_VARIABLE: JsonSchema = { type: 'string', pattern: '^\\$\\{[^}]*\\}$' }
const WITH_VARIABLE: JsonSchema = { type: 'string', pattern: '\\$\\{' }

/** "${VAR}" may stand for any value, so an editor must not complain of it where a number or a certain text is expected. */
function allowVariables(schema: JsonSchema): JsonSchema {
  const { description, default: fallback, ...rest } = schema
  const texts = { ...(description !== undefined && { description }), ...(fallback !== undefined && { default: fallback }) }
  if (rest.type === 'integer' || rest.type === 'number' || rest.type === 'boolean') return { ...texts, anyOf: [rest, WHOLE_VARIABLE] }
  if (rest.enum !== undefined || rest.pattern !== undefined) return { ...texts, anyOf: [rest, WITH_VARIABLE] }
  if (rest.anyOf !== undefined)
    return { ...texts, anyOf: [...rest.anyOf.map((branch) => (branch.properties === undefined ? branch : allowVariables(branch))), WHOLE_VARIABLE] }
  return {
    ...schema,
    ...(rest.properties && { properties: Object.fromEntries(Object.entries(rest.properties).map(([key, value]) => [key, allowVariables(value)])) }),
    ...(rest.items && { items: allowVariables(rest.items) }),
    ...(rest.oneOf && { oneOf: rest.oneOf.map(allowVariables) }),
    ...(typeof rest.additionalProperties === 'object' && { additionalProperties: allowVariables(rest.additionalProperties) }),
  }
}

// It takes milliseconds to make, and is asked for each mistake.
let root: JsonSchema | undefined

/** The part of the schema that describes the value at a path; `value` chooses between the branches of a union. */
export function schemaAt(path: readonly (string | number)[], value: unknown): JsonSchema | undefined {
  root ??= plainJsonSchema()
  let schema: JsonSchema | undefined = root
  let node = value
  for (const part of path) {
    if (schema === undefined) return undefined
    schema = typeof part === 'number' ? schema.items : (ownProperty(schema, part) ?? valuesOf(schema))
    node = memberOf(node, part)
    schema = schema && branchOf(schema, node)
  }
  return schema
}

function ownProperty({ properties }: JsonSchema, key: string): JsonSchema | undefined {
  return properties !== undefined && Object.hasOwn(properties, key) ? properties[key] : undefined
}

function valuesOf({ additionalProperties }: JsonSchema): JsonSchema | undefined {
  return typeof additionalProperties === 'object' ? additionalProperties : undefined
}

function memberOf(node: unknown, key: string | number): unknown {
  return typeof node === 'object' && node !== null && Object.hasOwn(node, key) ? (node as Record<string | number, unknown>)[key] : undefined
}

/** The branch whose fixed values (`"type": "eof"`) the value has, or the one that has keys. */
function branchOf(schema: JsonSchema, value: unknown): JsonSchema {
  const fits = (branch: JsonSchema): boolean =>
    Object.entries(branch.properties ?? {}).every(([key, { const: fixed }]) => fixed === undefined || memberOf(value, key) === fixed)
  return schema.oneOf?.find(fits) ?? schema.anyOf?.find(({ properties }) => properties !== undefined) ?? schema
}
