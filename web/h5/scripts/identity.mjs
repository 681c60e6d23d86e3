// What the catalogue tells the helper: which APIs need the app's identity, whoever
// owns the app. Every page loads it, so it is a short pattern, found by greed: parts
// of names, each of which is in no name of another API.
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

const { apis } = JSON.parse(readFileSync(resolve(import.meta.dirname, '../../../wecom/jsapi/apis.json'), 'utf8'))

const needsAgent = api => Object.values(api.identity).every(identity => identity === 'agent')

function pattern (names, others) {
  const found = new Map() // part -> the names that have it
  for (const name of names) {
    for (let from = 0; from < name.length; from++) {
      for (let to = from + 1; to <= name.length; to++) {
        const part = name.slice(from, to)
        if (!others.some(other => other.includes(part))) {
          found.set(part, names.filter(name => name.includes(part)))
        }
      }
    }
  }
  const left = new Set(names)
  const parts = []
  while (left.size) {
    const worth = ([part, names]) => names.filter(name => left.has(name)).length / (part.length + 1)
    const best = [...found].reduce((a, b) => worth(b) > worth(a) ? b : a)
    parts.push(best[0])
    best[1].forEach(name => left.delete(name))
  }
  return parts.sort().join('|')
}

// With their ends, so that a part may be one: ^ and $ mean the same in the pattern.
const ends = name => '^' + name + '$'

/** What the sources call AGENT_APIS: the source of a regular expression. */
export const define = {
  AGENT_APIS: '/' + pattern(
    apis.filter(needsAgent).map(api => ends(api.name)),
    apis.filter(api => !needsAgent(api)).flatMap(api => [ends(api.name), ends(api.wire)])) + '/'
}
