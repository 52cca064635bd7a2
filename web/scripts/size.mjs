/** The size of the package on a page: minified and compressed, without React. */

import { fileURLToPath } from "node:url";
import { brotliCompressSync } from "node:zlib";
import { build, loadConfigFromFile } from "vite";

const file = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const ENTRY = "size:entry";
const { config } = await loadConfigFromFile(
  { command: "build", mode: "production" },
  file("vite.library.ts"),
);

async function size(names) {
  const entry = {
    name: "entry",
    resolveId: (id) => (id === ENTRY ? id : undefined),
    load: (id) =>
      id === ENTRY
        ? `export { ${names} } from ${JSON.stringify(file("src/index.ts"))};`
        : undefined,
  };
  const { output } = await build({
    configFile: false,
    logLevel: "error",
    mode: "production",
    oxc: config.oxc,
    plugins: [entry],
    build: {
      write: false,
      rolldownOptions: {
        ...config.build.rolldownOptions,
        output: {},
        input: ENTRY,
        preserveEntrySignatures: "strict",
      },
    },
  });
  return brotliCompressSync(output[0].code).length;
}

for (const [names, limit] of [
  ["createMarketClient, useMarketStream", 4800],
  ["createMarketClient, useMarketStream, PositionsTable", 8000],
]) {
  const bytes = await size(names);
  console.log(`${bytes} of ${limit} bytes: ${names}`);
  if (bytes > limit) process.exitCode = 1;
}
