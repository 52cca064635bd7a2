import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  // A linked package, as with `file:`, would otherwise load a second React.
  resolve: { dedupe: ["react", "react-dom"] },
});
