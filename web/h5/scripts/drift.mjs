// Fails where dist/ is not what a fresh build makes of the sources.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const dist = join(root, 'dist')
const fresh = mkdtempSync(join(tmpdir(), 'suitesign-h5-'))
try {
  execFileSync(process.execPath, [join(root, 'scripts/build.mjs'), fresh], { stdio: 'inherit' })
  const names = new Set([...readdirSync(dist), ...readdirSync(fresh)])
  const read = (folder, name) => readdirSync(folder).includes(name) ? readFileSync(join(folder, name), 'utf8') : undefined
  const drifted = [...names].filter(name => read(dist, name) !== read(fresh, name))
  if (drifted.length > 0) {
    console.error('web/h5/dist is not what the sources make; run `make h5` and commit it: ' + drifted.join(', '))
    process.exitCode = 1
  }
} finally {
  rmSync(fresh, { recursive: true })
}
