import { describe, expect, it } from "vitest";
import { cycleIn, modulesOf, parseModule } from "./modules.ts";

const FUNCTION_LINES = 45;

describe.each(["src", "page"])("the modules of %s", (folder) => {
  const modules = modulesOf(folder);

  it("import each other in no cycle, types included", () => {
    expect(modules.length).toBeGreaterThan(20);
    expect(modules.flatMap(({ imports }) => imports).length).toBeGreaterThan(20);
    expect(cycleIn(modules)).toBeUndefined();
  });

  it(`have no function of more than ${FUNCTION_LINES} lines`, () => {
    const functions = modules.flatMap((module) => module.functions);
    expect(functions.length).toBeGreaterThan(100);
    expect(functions.filter(({ lines }) => lines > FUNCTION_LINES)).toEqual([]);
  });
});

describe("the rules", () => {
  it("find a cycle of type imports, re-exports and lazy imports", () => {
    const module = (path: string, text: string) => parseModule(path, text);
    const modules = [
      module("src/a.ts", 'import type { B } from "./b.ts";'),
      module("src/b.ts", 'export * from "./deep/c.ts";'),
      module("src/deep/c.ts", 'export const lazy = () => import("../a.ts");'),
    ];
    expect(cycleIn(modules)).toEqual(["src/a.ts", "src/b.ts", "src/deep/c.ts", "src/a.ts"]);
    expect(cycleIn(modules.slice(0, 2))).toBeUndefined();
  });

  it("measure a function with the functions in it", () => {
    const text = "export function outer() {\n  const inner = () => {\n  };\n}\n";
    expect(
      parseModule("src/a.ts", text)
        .functions.map(({ lines }) => lines)
        .toSorted(),
    ).toEqual([2, 4]);
  });
});
