// Vitest for `npm run bench`: the app's own config with only the bench files.
import base from "./vite.config"

export default { ...base, test: { ...base.test, include: ["bench/**/*.bench.test.ts"], disableConsoleIntercept: true } }
