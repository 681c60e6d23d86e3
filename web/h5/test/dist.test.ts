import { readFileSync, readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { gzipSync } from 'node:zlib'

import { parse } from 'acorn'
import { expect, test } from 'vitest'

const dist = resolve(import.meta.dirname, '../dist')
const read = (name: string) => readFileSync(resolve(dist, name), 'utf8')

test('the committed files are these', () => {
  expect(readdirSync(dist).sort()).toEqual(['index.cjs', 'index.d.cts', 'index.d.ts', 'index.js', 'suitesign.js'])
})

test('suitesign.js is at most 5 KiB, gzipped', () => {
  expect(gzipSync(read('suitesign.js'), { level: 9 }).length).toBeLessThanOrEqual(5 * 1024)
})

for (const [name, sourceType] of [['suitesign.js', 'script'], ['index.cjs', 'script'], ['index.js', 'module']] as const) {
  test(name + ' is ES2015, for the WebViews of old Android phones', () => {
    const source = read(name)
    expect(() => parse(source, { ecmaVersion: 2015, sourceType })).not.toThrow()
    expect(() => parse(source + '\nasync () => {}', { ecmaVersion: 2015, sourceType })).toThrow() // the parser would notice
    // Methods that came later; the compiler holds the sources to lib ES2015, this what it makes of them.
    expect(source).not.toMatch(/\.(includes|padStart|padEnd|flat|flatMap|finally|matchAll|replaceAll|at)\(|Object\.(entries|values|fromEntries|getOwnPropertyDescriptors)|globalThis|URLSearchParams|AbortController|fetch\(/)
  })
}

test('no file names an address of its own', () => {
  for (const name of readdirSync(dist)) {
    const hosts = read(name).match(/https?:\/\/[\w.-]*\w/g) || []
    expect(hosts.filter(host => host !== 'https://sign.example.com'), name).toEqual([])
  }
})
