import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";

/** Snippets are compiled here, where they find React, and no other check finds them. */
const FOLDER = "node_modules/.tapecast-readme";
const LIMIT_MS = 60_000;

/** As much of other packages as the snippets use. */
const OTHER_PACKAGES = `
declare module "eventsource" {
  export const EventSource: new (url: string) => import("@tapecast/react").EventSourceLike;
}
declare module "@tanstack/react-table" {
  export type ColumnDef<Row> =
    | { accessorKey: keyof Row; header: string }
    | { id: string; header: string; cell: (of: { row: { original: Row } }) => React.ReactNode };
}
declare module "ag-grid-community" {
  export interface GridApi {
    applyTransactionAsync(transaction: { update: object[] }): void;
  }
}
`;

/** Return the names of the snippets and the compiler's complaints. */
function compile(markdown: string): { names: string[]; complaints: string } {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, "others.d.ts"), OTHER_PACKAGES);
  const snippets = [...markdown.matchAll(/^```(tsx?)\n(.*?)^```$/gms)];
  const names = snippets.map(([, kind, code = ""], at) => {
    const name = `snippet-${at + 1}.${kind}`;
    writeFileSync(join(FOLDER, name), code);
    return name;
  });
  const config = {
    extends: "../../tsconfig.json",
    // A snippet shows how to make a thing and need not use it.
    compilerOptions: { noUnusedLocals: false, types: ["vite/client", "node", "react"] },
    files: ["others.d.ts", ...names],
  };
  writeFileSync(join(FOLDER, "tsconfig.json"), JSON.stringify(config));
  try {
    execFileSync("node", ["node_modules/typescript/bin/tsc", "--project", FOLDER]);
    return { names, complaints: "" };
  } catch (error) {
    return { names, complaints: `${(error as { stdout?: Buffer }).stdout}` };
  }
}

afterEach(() => rmSync(FOLDER, { recursive: true, force: true }));

it("has snippets that compile against the package", { timeout: LIMIT_MS }, () => {
  const { names, complaints } = compile(readFileSync("README.md", "utf8"));
  expect(names.length).toBeGreaterThanOrEqual(6);
  expect(complaints).toBe("");
});

it("would show a snippet that does not compile", { timeout: LIMIT_MS }, () => {
  const snippet = 'import { usePrice } from "@tapecast/react";\nusePrice(7);\n';
  expect(compile(`\`\`\`ts\n${snippet}\`\`\`\n`).complaints).toMatch(/snippet-1\.ts.*TS2345/);
});
