import { resolve } from 'node:path'

import { defineConfig } from 'vitest/config'

import { define } from './scripts/identity.mjs'

// For the tests; scripts/build.mjs builds.
export default defineConfig({
  define,
  resolve: { alias: { '@suitesign/h5': resolve(import.meta.dirname, 'src/index.ts') } },
  test: {
    environment: 'jsdom',
    environmentOptions: { jsdom: { url: 'https://h5.example.com/start' } },
    include: ['test/**/*.test.{ts,tsx}'],
    // A page begins with modules of its own: the SDK reads the client when it is loaded.
    server: { deps: { inline: ['@wecom/jssdk'] } },
    restoreMocks: true
  }
})
