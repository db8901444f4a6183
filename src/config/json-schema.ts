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
  const schema = z.toJSONSchema(ConfigSchema, { io: 'input', override: ({ jsonSchema }) => allowPlaceholder(jsonSchema as Writable) })
  return { ...(schema as JsonSchema), title: 'Polyport config' }
}

type Writable = { -readonly [K in keyof JsonSchema]: JsonSchema[K] }

const PLACEHOLDER: JsonSchema = { type: 'string', pattern: '^\\$\\{[^}]*\\}$' }

/** Where a number or a boolean is expected, "${VAR}" may stand for it: an editor must not complain. */
function allowPlaceholder(schema: Writable): void {
  const { type } = schema
  if (type !== 'integer' && type !== 'number' && type !== 'boolean') return
  const plain: Writable = { ...schema }
  delete plain.description
  delete plain.default
  for (const key of Object.keys(plain)) delete schema[key as keyof JsonSchema]
  schema.anyOf = [plain, PLACEHOLDER]
}

/** The part of the schema that describes the value at a path; `value` chooses between the branches of a union. */
export function schemaAt(path: readonly (string | number)[], value: unknown): JsonSchema | undefined {
  let schema: JsonSchema | undefined = configJsonSchema()
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

/** The branch whose fixed values (`"type": "eof"`) the value has. */
function branchOf(schema: JsonSchema, value: unknown): JsonSchema {
  const fits = (branch: JsonSchema): boolean =>
    Object.entries(branch.properties ?? {}).every(([key, { const: fixed }]) => fixed === undefined || memberOf(value, key) === fixed)
  return schema.oneOf?.find(fits) ?? schema
}
