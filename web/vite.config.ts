/** The page that a gateway serves at `/`, built into the Python package that serves it. */

import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const LICENCES = "licenses.txt";

/** Adds the licences that packages do not contain, and a compressed copy of each file. */
const served: Plugin = {
  name: "served",
  writeBundle({ dir = "" }, bundle) {
    appendFileSync(join(dir, LICENCES), readFileSync("notices.txt"));
    for (const name of Object.keys(bundle)) {
      const path = join(dir, name);
      writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
    }
  },
};

/** Delays the first paint until the chosen theme is applied, if the browser supports `blocking`. */
const early: Plugin = {
  name: "early",
  transformIndexHtml: {
    order: "post",
    handler: (html) => html.replace('type="module"', 'type="module" blocking="render"'),
  },
};

export default defineConfig({
  root: "page",
  // Relative addresses: a proxy may serve the page under a path of its own.
  base: "./",
  plugins: [react(), served, early],
  build: {
    outDir: "../../gateway/http/page",
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    license: { fileName: LICENCES },
    reportCompressedSize: false,
  },
  // For `npm run dev` beside `make run`.
  server: { proxy: { "/api": "http://127.0.0.1:8001", [`/${LICENCES}`]: "http://127.0.0.1:8001" } },
});
