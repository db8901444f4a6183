import { type JsonSchema, plainJsonSchema } from './json-schema.ts'

/** Every key of the config with its type, default and meaning, as Markdown: the tables of `docs/config.md`. */
export function configReference(): string {
  const seen = new Map<string, string>()
  return sections('', plainJsonSchema(), seen).join('\n\n')
}

/** A heading and a table for an object, then the same for the objects in it. */
function sections(path: string, schema: JsonSchema, seen: Map<string, string>): string[] {
  if (schema.items !== undefined) return sections(`${path}[]`, schema.items, seen)
  if (typeof schema.additionalProperties === 'object') return sections(`${path}.<name>`, schema.additionalProperties, seen)
  const choice = schema.anyOf?.find(({ properties }) => properties !== undefined)
  if (choice !== undefined) return sections(path, { ...choice, ...(schema.description !== undefined && { description: schema.description }) }, seen)
  if (schema.oneOf === undefined && schema.properties === undefined) return []
  const heading = path === '' ? '## Top level' : `## \`${path}\``
  // One description serves several places.
  const shape = JSON.stringify(schema)
  const same = seen.get(shape)
  if (same !== undefined) return [`${heading}\n\nThe same keys as [\`${same}\`](#${anchor(same)}).`]
  seen.set(shape, path)
  const branches = schema.oneOf ?? [schema]
  return [
    heading,
    ...(path !== '' && schema.description !== undefined ? [schema.description] : []),
    ...branches.map(table),
    ...branches.flatMap(({ properties = {} }) =>
      Object.entries(properties).flatMap(([key, value]) => sections(path === '' ? key : `${path}.${key}`, value, seen)),
    ),
  ]
}

function table({ properties = {}, required = [] }: JsonSchema): string {
  const rows = Object.entries(properties).map(([key, schema]) => {
    const cells = [`\`${key}\``, typeText(schema), required.includes(key) ? 'required' : defaultText(schema), schema.description ?? '']
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  })
  return ['| key | type | default | meaning |', '|---|---|---|---|', ...rows].join('\n')
}

function typeText(schema: JsonSchema): string {
  if (schema.const !== undefined) return code(schema.const)
  if (schema.enum !== undefined) return schema.enum.map(code).join(', ')
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeText).join(' or ')
  if (schema.oneOf !== undefined || schema.properties !== undefined) return 'object, see below'
  if (typeof schema.additionalProperties === 'object') return Object.keys(schema.additionalProperties).length > 0 ? 'objects by name, see below' : 'object'
  if (schema.items !== undefined) return typeText(schema.items).startsWith('object') ? 'list of objects, see below' : `list of ${typeText(schema.items)}`
  if (schema.type === 'integer' || schema.type === 'number') return `${schema.type === 'integer' ? 'whole number' : 'number'}${rangeText(schema)}`
  return schema.type === 'string' ? 'text' : schema.type === 'boolean' ? 'true or false' : (schema.type ?? 'anything')
}

function rangeText(schema: JsonSchema): string {
  const { minimum, maximum } = schema
  return minimum === undefined || maximum === undefined ? '' : `, ${amount(minimum, schema)} to ${amount(maximum, schema)}`
}

function defaultText(schema: JsonSchema): string {
  const { default: value } = schema
  if (value === undefined || (typeof value === 'object' && value !== null)) return ''
  return typeof value === 'number' ? amount(value, schema) : code(value)
}

const UNITS = [
  ['GiB', 1024 ** 3],
  ['MiB', 1024 ** 2],
] as const

/** A number of bytes that is round as such says so. */
function amount(value: number, { description = '' }: JsonSchema): string {
  const unit = !/\bbytes\b/i.test(description) ? undefined : UNITS.find(([, size]) => value >= size && value % size === 0)
  return unit === undefined ? String(value) : `${value} (${value / unit[1]} ${unit[0]})`
}

function code(value: unknown): string {
  return `\`${JSON.stringify(value)}\``
}

/** As GitHub names a heading. */
function anchor(heading: string): string {
  return heading.toLowerCase().replaceAll(/[^\w-]/g, '')
}
