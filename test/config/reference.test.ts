import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { configJsonSchema, type JsonSchema, plainJsonSchema } from '../../src/config/json-schema.ts'
import { configReference } from '../../src/config/reference.ts'
import { ROOT } from '../docs/blocks.ts'

/** Every schema in a schema. */
function all(schema: JsonSchema): JsonSchema[] {
  const { properties = {}, items, additionalProperties, anyOf = [], oneOf = [] } = schema
  const inner = [
    ...Object.values(properties),
    ...anyOf,
    ...oneOf,
    ...(items ? [items] : []),
    ...(typeof additionalProperties === 'object' ? [additionalProperties] : []),
  ]
  return [schema, ...inner.flatMap(all)]
}

describe('configJsonSchema()', () => {
  test('is what config.schema.json has', () => {
    const file = JSON.parse(readFileSync(join(ROOT, 'config.schema.json'), 'utf8')) as unknown

    assert.deepEqual(file, JSON.parse(JSON.stringify(configJsonSchema())), 'write it anew with "polyport schema > config.schema.json"')
  })

  test('allows no unknown key in any object with known ones', () => {
    const objects = all(configJsonSchema()).filter(({ properties }) => properties !== undefined)

    assert.ok(objects.length >= 14)
    for (const { properties, additionalProperties } of objects) assert.equal(additionalProperties, false, Object.keys(properties ?? {}).join())
  })

  test('lets a variable stand for every number, boolean and choice', () => {
    const isPlain = ({ type, enum: values }: JsonSchema): boolean => type === 'integer' || type === 'number' || type === 'boolean' || values !== undefined
    const schemas = all(configJsonSchema())
    const choices = new Set(
      schemas.flatMap(({ anyOf = [] }) => (anyOf.some(({ pattern }) => pattern?.startsWith('^\\$\\{') || pattern === '\\$\\{') ? anyOf : [])),
    )

    assert.ok(choices.size > 0)
    for (const schema of schemas.filter(isPlain)) assert.ok(choices.has(schema), JSON.stringify(schema))
  })
})

describe('configReference()', () => {
  test('is what docs/config.md has', () => {
    const [, generated] = /<!-- Generated .*? -->\n\n(.*)\n\n<!-- End/s.exec(readFileSync(join(ROOT, 'docs/config.md'), 'utf8')) ?? []

    assert.equal(generated, configReference())
  })

  test('says what every key means', () => {
    for (const { properties = {} } of all(plainJsonSchema())) {
      for (const [key, { description }] of Object.entries(properties)) assert.ok(description, key)
    }
  })
})
