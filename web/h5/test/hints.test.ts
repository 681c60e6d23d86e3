import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

import { expect, test } from 'vitest'

import { hints } from '../src/hints'

const read = (path: string) => readFileSync(resolve(import.meta.dirname, '../..', path), 'utf8')

test("every error of the service's signing endpoints has a hint", () => {
  const source = read('problems.go')
  const rows = [...source.matchAll(/^\t\{(\w+(?:\.\w+)?), http\.Status\w+, "(\w+)"/gm)]
  const table = source.indexOf('var signProblems')
  const signing = rows.filter(r => r.index > table && r.index < source.indexOf('\n}\n', table)).map(r => r[2])
  expect(signing).toContain('untrusted_domain') // the table was found
  for (const code of [...signing, 'invalid_request', 'invalid_url', 'rate_limited', 'timeout', 'starting', 'database_unavailable', 'internal']) {
    expect(source).toContain('"' + code + '"') // the service still has it
    expect(hints, code).toHaveProperty(code)
  }
})

test('each hint is a sentence in both languages', () => {
  for (const [code, [zh, en]] of Object.entries(hints)) {
    expect(zh, code).toMatch(/[\u4e00-\u9fff].*。$/)
    expect(en, code).toMatch(/^[\x20-\x7e]+[.?]$/)
  }
})

test('every code stands in the guide', () => {
  const codes = Object.keys(hints).filter(code => !/^client_(?!refused)/.test(code)) // these are hints of client_refused
  for (const guide of ['../docs/h5.md', '../docs/h5.zh-CN.md']) {
    const text = read(guide)
    for (const code of codes) {
      expect(text, guide).toContain('| `' + code + '` |')
    }
  }
})
