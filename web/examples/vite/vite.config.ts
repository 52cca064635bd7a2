import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  // A package that is linked, as `file:` is, would bring a React of its own.
  resolve: { dedupe: ["react", "react-dom"] },
});
