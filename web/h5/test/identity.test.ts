import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

import { expect, test } from 'vitest'

import { SuitesignError } from '../src/errors.js'
import { checkIdentity } from '../src/identity.js'

interface API {
  name: string
  identity: { [kind: string]: string }
}

const { apis }: { apis: API[] } = JSON.parse(readFileSync(resolve(import.meta.dirname, '../../../wecom/jsapi/apis.json'), 'utf8'))

/** What is told of a page with these APIs. */
function told(jsApiList: string[], agentId?: number): SuitesignError[] {
  const errors: SuitesignError[] = []
  checkIdentity({ agentId, jsApiList, onError: error => errors.push(error) })
  return errors
}

test('an API is told of where no kind of app may call it with the corp\'s identity: as the catalogue has it', () => {
  const named = (told(apis.map(api => api.name))[0].detail).split(',')
  expect(named).toEqual(apis.filter(api => Object.values(api.identity).every(identity => identity === 'agent')).map(api => api.name))
  expect(named.length).toBeGreaterThan(50)
})

test('it is told at once, once for a page, with what to do', () => {
  const [error, ...more] = told(['scanQRCode', 'getCurExternalContact', 'sendChatMessage'])
  expect(more).toEqual([])
  expect(error).toBeInstanceOf(SuitesignError)
  expect(error.code).toBe('needs_agent')
  expect(error.detail).toBe('getCurExternalContact,sendChatMessage')
  expect(error.hint.en).toContain('agentId')
  expect(error.hint.zh).toContain('agentId')
  expect(told(['scanQRCode', 'getCurExternalContact', 'sendChatMessage'])).toEqual([]) // at the next route
})

test('nothing is told of a page with an agentId, or of one that needs none', () => {
  expect(told(['getCurExternalContact'], 1000002)).toEqual([])
  expect(told(['scanQRCode', 'openUserProfile', 'selectEnterpriseContact'])).toEqual([])
})
