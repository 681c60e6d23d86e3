// What an admin scripts, with a client that is generated from the contract: an
// internal suite, a domain, tenants in pages, a change that loses no other one, and errors.
import createClient from 'openapi-fetch'
import { randomUUID } from 'node:crypto'
import type { components, paths } from './schema.js'

type Problem = components['schemas']['Problem']
type Tenant = components['schemas']['Tenant']

const { ADMIN_URL: baseUrl, API_KEY: key } = process.env
if (!baseUrl || !key) throw new Error('ADMIN_URL and API_KEY are not set')
const api = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } })

function must<T>(what: string, got: { data?: T; error?: Problem; response: Response }): T {
  if (got.error) throw new Error(`${what}: ${got.error.code}: ${got.error.detail} (${got.error.request_id})`)
  if (got.data === undefined) throw new Error(`${what}: ${got.response.status} without a body`)
  return got.data
}

function same<T>(what: string, got: T, want: T): void {
  if (JSON.stringify(got) !== JSON.stringify(want)) throw new Error(`${what}: ${JSON.stringify(got)}, want ${JSON.stringify(want)}`)
}

/** allTenants follows next_cursor to the end. */
async function* allTenants(suite_id: string): AsyncGenerator<Tenant> {
  let cursor: string | null = null
  do {
    const page: { items: Tenant[]; next_cursor: string | null } = must('list tenants', await api.GET('/v1/tenants', {
      params: { query: { suite_id, sort: '-created_at', limit: 2, ...(cursor === null ? {} : { cursor }) } },
    }))
    yield* page.items
    cursor = page.next_cursor
  } while (cursor !== null)
}

const suite = must('create suite', await api.POST('/v1/suites', { body: { suite_id: 'scripted', kind: 'internal', name: 'Scripted' } }))
same('kind', suite.kind, 'internal')

const domain = must('trust domain', await api.PUT('/v1/suites/{suite_id}/domains/{domain}', {
  params: { path: { suite_id: 'scripted', domain: 'H5.Example.com' } }, body: { exact: true },
}))
same('domain', [domain.domain, domain.exact, domain.allow_http], ['h5.example.com', true, false])

// Each request has a name, so that it can be sent again when its answer got lost.
for (let i = 0; i < 5; i++) {
  const request = {
    params: { header: { 'Idempotency-Key': randomUUID() } },
    body: { suite_id: 'scripted', corp_id: `wwcorp${i}`, agent_id: 1000002, secret: 'the-secret-of-an-app' },
  }
  const first = must('create tenant', await api.POST('/v1/tenants', request))
  const again = await api.POST('/v1/tenants', request)
  same('the repeated answer', must('repeat', again).id, first.id)
  same('Idempotency-Replayed', again.response.headers.get('Idempotency-Replayed'), 'true')
}
const tenants: Tenant[] = []
for await (const t of allTenants('scripted')) tenants.push(t)
same('tenants, the newest first', tenants.map((t) => t.corp_id), ['wwcorp4', 'wwcorp3', 'wwcorp2', 'wwcorp1', 'wwcorp0'])

const path = { tenant_id: tenants[0]!.id }
const read = await api.GET('/v1/tenants/{tenant_id}', { params: { path } })
const etag = read.response.headers.get('ETag')!
const renamed = must('rename', await api.PATCH('/v1/tenants/{tenant_id}', { params: { path, header: { 'If-Match': etag } }, body: { name: 'Renamed' } }))
same('name', renamed.name, 'Renamed')

const late = await api.PATCH('/v1/tenants/{tenant_id}', { params: { path, header: { 'If-Match': etag } }, body: { name: 'Too late' } })
same('a change of what has changed', [late.response.status, late.error?.code], [412, 'version_conflict'])

const refused = await api.POST('/v1/suites', { body: { suite_id: 'a b', kind: 'internal', name: 'x' } })
same('a bad id', [refused.response.status, refused.error?.code, refused.error?.errors?.[0]?.pointer], [400, 'invalid_request', '/suite_id'])

const missing = await api.GET('/v1/suites/{suite_id}', { params: { path: { suite_id: 'none' } } })
same('nothing there', [missing.response.status, missing.error?.code], [404, 'suite_not_found'])

console.log('the story is told')
