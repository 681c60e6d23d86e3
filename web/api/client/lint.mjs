// Lints the contract and the simulator's with Redocly's rules; any finding fails.
import { createConfig, lint } from '@redocly/openapi-core'

const rules = {
  'operation-4xx-response': 'off', // /healthz and the like have none
  'operation-description': 'error',
  'operation-operationId-unique': 'error',
  'operation-singular-tag': 'error',
  'parameter-description': 'error',
  'tag-description': 'error',
  'no-unused-components': 'error',
  'no-invalid-media-type-examples': 'error',
  'no-invalid-schema-examples': 'error',
  'no-invalid-parameter-examples': 'error',
  'spec-strict-refs': 'error',
  'no-server-example.com': 'error',
  'path-segment-plural': 'off',
}
const config = await createConfig({ extends: ['recommended'], rules })
const problems = await lint({ ref: new URL('../openapi.yaml', import.meta.url).pathname, config })
for (const p of problems) {
  const at = p.location[0]
  console.error(`${p.severity}: ${p.ruleId} at ${at?.pointer ?? '?'}: ${p.message}`)
}
if (problems.length > 0) process.exit(1)
console.log('openapi.yaml is clean')
