/** In the project `react-18`, what other packages require as React is version 18, too. */

import Module from "node:module";
import { version } from "react";

const loader = Module as unknown as {
  _resolveFilename(request: string, ...rest: unknown[]): string;
};
const resolve = loader._resolveFilename;
loader._resolveFilename = function (this: unknown, request, ...rest) {
  return resolve.call(this, request.replace(/^(react|react-dom)(?=$|\/)/, "$1-18"), ...rest);
};

if (!version.startsWith("18.")) throw new Error(`these tests are for React 18, not ${version}`);
