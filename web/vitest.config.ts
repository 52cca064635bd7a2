/** The tests: with the newest React, with the oldest that is supported, and of the sources. */

import { defineConfig } from "vitest/config";

const SOURCES = "test/sources/**/*.test.ts";
/** Many tests that use no React: one project is enough. */
const RUNS = "test/connection-runs.test.ts";
const shared = {
  environment: "happy-dom",
  include: ["test/**/*.test.{ts,tsx}"],
  exclude: [SOURCES],
};

export default defineConfig({
  test: {
    projects: [
      { test: { name: "sources", include: [SOURCES] } },
      { test: { ...shared, name: "react-19" } },
      {
        resolve: {
          alias: [
            { find: /^react(\/.*)?$/, replacement: "react-18$1" },
            { find: /^react-dom(\/.*)?$/, replacement: "react-dom-18$1" },
          ],
        },
        test: {
          ...shared,
          name: "react-18",
          exclude: [SOURCES, RUNS],
          setupFiles: ["test/react-18.ts"],
          server: { deps: { inline: [/@testing-library/, /react-dom-18/] } },
        },
      },
    ],
  },
});
