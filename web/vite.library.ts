/** The package `@tapecast/react`: one module that imports React. */

import { copyFileSync } from "node:fs";
import { defineConfig } from "vite";

export default defineConfig({
  // The classic runtime needs one import, `react`, and makes the package a tenth smaller.
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
