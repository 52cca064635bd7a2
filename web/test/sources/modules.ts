/** The modules of the web part as a parser sees them. */

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { parseSync, Visitor } from "vite";

export interface Module {
  /** The path from `web/`. */
  path: string;
  /** Paths that it imports or exports from, types included; other packages are left out. */
  imports: string[];
  functions: { name: string; lines: number }[];
}

/** Return the modules below a folder of `web/`. */
export const modulesOf = (folder: string): Module[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => parseModule(join(folder, name), readFileSync(join(folder, name), "utf8")));

export function parseModule(path: string, text: string): Module {
  const module: Module = { path, imports: [], functions: [] };
  const lineOf = (offset: number) => text.slice(0, offset).split("\n").length;
  const onImport = ({ source }: { source: { value: unknown } | null }) => {
    const name = `${source?.value ?? ""}`;
    if (name.startsWith(".")) module.imports.push(normalize(join(dirname(path), name)));
  };
  const onFunction = ({ start, end }: { start: number; end: number }) => {
    const line = lineOf(start);
    module.functions.push({ name: `${path}:${line}`, lines: lineOf(end) - line + 1 });
  };
  new Visitor({
    ImportDeclaration: onImport,
    ExportNamedDeclaration: onImport,
    ExportAllDeclaration: onImport,
    ImportExpression: onImport as never,
    FunctionDeclaration: onFunction,
    FunctionExpression: onFunction,
    ArrowFunctionExpression: onFunction,
  }).visit(parseSync(path, text).program);
  return module;
}

/** Return a path of imports that ends where it starts; undefined if there is none. */
export function cycleIn(modules: readonly Module[]): string[] | undefined {
  const byPath = new Map(modules.map((module) => [module.path, module]));
  const finished = new Set<string>();
  function search(path: string, trail: readonly string[]): string[] | undefined {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (finished.has(path)) return undefined;
    for (const next of byPath.get(path)?.imports ?? []) {
      const cycle = search(next, [...trail, path]);
      if (cycle) return cycle;
    }
    finished.add(path);
    return undefined;
  }
  for (const { path } of modules) {
    const cycle = search(path, []);
    if (cycle) return cycle;
  }
  return undefined;
}
