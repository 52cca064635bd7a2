/** The page that a gateway serves at `/`, built into the Python package that serves it. */

import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  root: "page",
  plugins: [react()],
  build: {
    outDir: "../../gateway/http/page",
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
  // `npm run dev` beside `make run`.
  server: { proxy: { "/api": "http://127.0.0.1:8001" } },
});
