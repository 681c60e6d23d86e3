// Builds @suitesign/h5 into the folder that is named: index.js (ESM), index.cjs,
// their types, and suitesign.js for a script tag.
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'

import { generateDtsBundle } from 'dts-bundle-generator'
import { build } from 'vite'

import { define } from './identity.mjs'

const root = resolve(import.meta.dirname, '..')
const out = resolve(process.argv[2] || 'dist')
const banner = '/*! @suitesign/h5, Apache-2.0 */'

const common = { define, root, configFile: false, logLevel: 'warn', envDir: false }
const target = 'es2015' // WebViews of old Android phones

await build({
  ...common,
  build: {
    outDir: out, emptyOutDir: true, target, minify: false, reportCompressedSize: false,
    lib: { entry: 'src/index.ts', formats: ['es', 'cjs'], fileName: format => format === 'es' ? 'index.js' : 'index.cjs' },
    rolldownOptions: { external: ['@wecom/jssdk'], output: { banner } }
  }
})
await build({
  ...common,
  build: {
    outDir: out, emptyOutDir: false, target, minify: true, reportCompressedSize: false,
    lib: { entry: 'src/script.ts', formats: ['iife'], name: 'suitesign', fileName: () => 'suitesign.js' },
    rolldownOptions: { output: { banner, generatedCode: { symbols: false } } }
  }
})

const [types] = generateDtsBundle([{ filePath: resolve(root, 'src/index.ts'), output: { noBanner: true, sortNodes: true } }], { preferredConfigPath: resolve(root, 'tsconfig.json') })
writeFileSync(resolve(out, 'index.d.ts'), types)
writeFileSync(resolve(out, 'index.d.cts'), types)
