/** The package `@tapecast/react`: one module, React left to whoever uses it. */

import { copyFileSync } from "node:fs";
import { defineConfig } from "vite";

export default defineConfig({
  build: {
    lib: { entry: "src/index.ts", formats: ["es"], fileName: "index" },
    minify: false,
    sourcemap: true,
    rolldownOptions: {
      external: ["react", "react/jsx-runtime"],
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
