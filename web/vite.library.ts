/** The package `@tapecast/react`: one module, React left to whoever uses it. */

import { copyFileSync } from "node:fs";
import { defineConfig } from "vite";

export default defineConfig({
  // One import for both, and a tenth less to load: a package has no use for React's other runtime.
  oxc: {
    jsx: { runtime: "classic", pragma: "createElement", pragmaFrag: "Fragment" },
    jsxInject: 'import { createElement, Fragment } from "react";',
  },
  build: {
    lib: { entry: "src/index.ts", formats: ["es"], fileName: "index" },
    minify: false,
    sourcemap: true,
    rolldownOptions: {
      external: ["react"],
      optimization: { inlineConst: true },
      output: { banner: '"use client";' },
    },
  },
  plugins: [
    {
      name: "styles",
      closeBundle: () => copyFileSync("src/styles.css", "dist/styles.css"),
    },
  ],
});
